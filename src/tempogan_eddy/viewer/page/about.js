// Where what is shown comes from, and the commands that make it again.

import { state } from "./state.js";

export function showAbout() {
  const { origin } = state.scene;
  const commands = [...origin.commands, state.index.command].filter(Boolean);
  document.getElementById("facts-of-files").replaceChildren(...origin.facts.flatMap(factsOf));
  document.getElementById("commands").textContent = [`# with TempoGAN-Eddy ${state.index.version}`, ...commands].join("\n");
  document.getElementById("about").showModal();
}

function factsOf({ title, rows }) {
  const [heading, list] = [document.createElement("h3"), document.createElement("dl")];
  heading.textContent = title;
  for (const row of rows) {
    list.append(
      ...["dt", "dd"].map((tag, i) => {
        const cell = document.createElement(tag);
        cell.textContent = row[i];
        return cell;
      }),
    );
  }
  return [heading, list];
}
