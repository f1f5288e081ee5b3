// One colour for each panel, wherever it appears.

const ROLES = { "lowres": "#93a1b3", bicubic: "#5aaef2", reconstructed: "#f0a83a", truth: "#f3f6fa" };
const OTHERS = ["#f0a83a", "#c98bf0", "#72d28f", "#f27d72", "#5ad1d8", "#d8d06a"];

export function panelColour(panel, panels) {
  const others = panels.filter((one) => !ROLES[one.role] || one.role === "reconstructed");
  const place = others.indexOf(panel);
  return place > 0 || !ROLES[panel.role] ? OTHERS[Math.max(place, 0) % OTHERS.length] : ROLES[panel.role];
}
