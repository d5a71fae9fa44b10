import { fill, h } from "./dom.js";
import { problemInWords } from "./words.js";

let made = 0;

/**
 * Asks before something is done, and does it from within, so that an error shows where the operator looks.
 * @param {object} asked
 * @param {string} asked.title What it is about, as a question.
 * @param {Array<Node|string>} asked.body What will happen, and what there is to choose.
 * @param {string} asked.action What the button says.
 * @param {boolean} [asked.isDangerous] It takes something away.
 * @param {() => Promise<boolean|void>} asked.run Does it; throws a Problem if it failed.
 * @param {(problem: import("./api.js").Problem) => boolean} [asked.gaveUp] Whether there is no point in trying again; the dialog is closed then.
 * @returns {Promise<boolean>} Whether it was done.
 */
export function ask({ title, body, action, isDangerous = false, run, gaveUp = () => false }) {
  return new Promise((resolve) => {
    const id = `dialog-${++made}`;
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const go = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, action);
    const form = h("form", { method: "dialog" },
      h("h2", { id }, title),
      h("div", { class: "dialog-body" }, body),
      error,
      h("div", { class: "dialog-buttons" }, cancel, go));
    const dialog = h("dialog", { "aria-labelledby": id }, form);
    let done = false;

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      error.hidden = true;
      go.disabled = true;
      try {
        await run();
        done = true;
        dialog.close();
      } catch (problem) {
        go.disabled = false;
        if (gaveUp(problem) || problem.problem === "signed-out") return dialog.close();
        fill(error, problemInWords(problem));
        error.hidden = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });

    document.body.append(dialog);
    dialog.showModal();
    // What takes something away must not be a habit of the Enter key.
    if (isDangerous) cancel.focus();
    else (form.querySelector("input, select") ?? go).focus();
  });
}

/**
 * Shows something until the operator has seen it. Afterwards it is not in the document any more.
 * @param {object} told
 * @param {string} told.title What it is.
 * @param {Array<Node|string>} told.body What there is to see.
 * @returns {Promise<void>}
 */
export function tell({ title, body }) {
  return new Promise((resolve) => {
    const id = `dialog-${++made}`;
    const done = h("button", { type: "submit", class: "primary" }, "Done");
    const dialog = h("dialog", { "aria-labelledby": id }, h("form", { method: "dialog" },
      h("h2", { id }, title), h("div", { class: "dialog-body" }, body), h("div", { class: "dialog-buttons" }, done)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
    done.focus();
  });
}

/** Closes whatever is asked. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}
