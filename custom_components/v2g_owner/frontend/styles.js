/** The card's looks; every color is the theme's, so that dark mode needs nothing of its own. */

export const STYLES = `
:host { display: block; }
[hidden], p:empty:not([role]) { display: none !important; }
ha-card { color: var(--primary-text-color); padding: 16px; overflow: hidden; }
.parts { display: flex; flex-direction: column; gap: 20px; }
section { display: flex; flex-direction: column; gap: 12px; min-width: 0; }
section:focus { outline: none; }
h2 { font-size: 1.15rem; font-weight: 500; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
p { margin: 0; line-height: 1.45; overflow-wrap: anywhere; }
.kind, .quiet { color: var(--secondary-text-color); font-size: 0.875rem; }
.kind { font-weight: 500; }
.figures { display: flex; flex-wrap: wrap; gap: 8px 24px; }
.figures > div { min-width: 0; }
.figures .label { color: var(--secondary-text-color); display: block; font-size: 0.875rem; }
.figures .value { font-size: 1.5rem; font-variant-numeric: tabular-nums; line-height: 1.25; }
.buttons { display: grid; gap: 8px; grid-template-columns: repeat(3, minmax(0, 1fr)); }
button {
  align-items: center; background: none; border: 2px solid var(--secondary-text-color);
  border-radius: 12px; box-sizing: border-box; color: var(--primary-text-color); cursor: pointer;
  display: flex; flex-direction: column; font: inherit; font-weight: 500; gap: 2px;
  justify-content: center; line-height: 1.2; min-height: 60px; overflow-wrap: anywhere;
  padding: 6px 4px; text-align: center; width: 100%;
}
button:hover:not([aria-disabled="true"]) { background: var(--secondary-background-color); }
button:focus-visible { outline: 3px solid var(--primary-text-color); outline-offset: 2px; }
button[aria-disabled="true"] { border-style: dashed; cursor: default; }
button[aria-disabled="true"] ha-icon { opacity: 0.4; }
button.stop { border-color: var(--error-color); border-width: 3px; flex-direction: row; gap: 8px; }
button.stop ha-icon { color: var(--error-color); }
form {
  align-items: end; display: grid; gap: 8px;
  grid-template-columns: repeat(3, minmax(0, 1fr));
}
label { color: var(--secondary-text-color); display: block; font-size: 0.875rem; }
input {
  background: var(--card-background-color); border: 2px solid var(--secondary-text-color);
  border-radius: 8px; box-sizing: border-box; color: var(--primary-text-color); font: inherit;
  min-height: 48px; padding: 0 8px; width: 100%;
}
input:focus-visible { outline: 3px solid var(--primary-text-color); outline-offset: 2px; }
form button { min-height: 48px; }
.battery { display: block; height: 32px; width: 100%; }
.battery .whole { fill: var(--divider-color); }
.battery .kept { fill: var(--success-color); }
.battery .sold { fill: var(--warning-color); opacity: 0.75; }
.battery line {
  stroke: var(--primary-text-color); stroke-width: 2; vector-effect: non-scaling-stroke;
}
.battery line.guarantee { stroke-dasharray: 4 3; }
.legend { display: flex; flex-wrap: wrap; font-size: 0.875rem; gap: 2px 16px; margin-top: 4px; }
.mark:not(:empty)::before {
  border-left: 2px solid var(--primary-text-color); content: ""; display: inline-block;
  height: 0.8em; margin-inline-end: 6px;
}
.mark.guarantee:not(:empty)::before { border-left-style: dashed; }
.steps { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 0; padding: 0; }
.steps li { align-items: center; color: var(--secondary-text-color); display: flex; gap: 4px; }
.steps li.done { color: var(--primary-text-color); font-weight: 500; }
.alarm {
  border: 2px solid var(--error-color); border-radius: 8px; font-weight: 500; padding: 8px 12px;
}
.aside {
  clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap;
  width: 1px;
}
`;
