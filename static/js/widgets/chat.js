// A conversation: what was said is kept and sent along. Enter sends, Shift and Enter begin a new line.
export function mount(body, { examples, changed, run }) {
  const talk = body.querySelector("[data-talk]");
  const empty = body.querySelector("[data-empty]");
  const starts = body.querySelector("[data-starts]");
  const anew = body.querySelector("[data-anew]");
  const text = body.querySelector("#try-message");
  let said = []; // messages that were answered
  let question = null; // what waits for its answer: its text and its two bubbles
  let last = true; // whether the end is in view: then it stays there

  const number = (name) => {
    const field = body.querySelector(`[name=${name}]`);
    return field.value === "" || Number.isNaN(field.valueAsNumber) ? {} : { [name]: field.valueAsNumber };
  };
  function bubble(role, content) {
    const made = Object.assign(document.createElement("div"), { className: `said ${role}`, textContent: content });
    made.dir = "auto";
    return talk.appendChild(made);
  }
  function show() {
    const begun = talk.querySelector(".said") !== null;
    empty.hidden = starts.hidden = begun;
    anew.hidden = !begun;
  }
  for (const { messages } of examples) {
    const content = messages?.at(-1)?.content;
    if (typeof content !== "string") continue;
    const start = Object.assign(document.createElement("button"), { type: "button", className: "button quiet tiny", textContent: content });
    start.addEventListener("click", () => {
      text.value = content;
      run();
    });
    starts.append(start);
  }
  talk.addEventListener("scroll", () => (last = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40));
  new MutationObserver(() => last && (talk.scrollTop = talk.scrollHeight)).observe(talk, { childList: true, subtree: true, characterData: true });
  text.addEventListener("keydown", (event) => {
    // While signs are being composed, as in Chinese, Enter ends that.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    run();
  });
  anew.addEventListener("click", () => {
    if (question) return;
    for (const one of talk.querySelectorAll(".said")) one.remove();
    said = [];
    show();
    changed();
    text.focus();
  });
  body.addEventListener("input", changed);
  text.parentElement.after(body.parentElement.querySelector("[data-run]").parentElement); // beside what is sent
  show();
  return {
    input() {
      const content = text.value.trim();
      const system = body.querySelector("[name=system]").value.trim();
      if (!content) return null;
      const before = system ? [{ role: "system", content: system }, ...said] : said;
      return { messages: [...before, { role: "user", content }], ...number("max_tokens"), ...number("temperature") };
    },
    sent() {
      const content = text.value.trim();
      last = true;
      question = { content, asked: bubble("user", content), answer: bubble("assistant", "") };
      text.value = "";
      show();
    },
    place: () => question.answer,
    // What came is kept, also where it was stopped; without any the question goes back to its field.
    ended() {
      const { content, asked, answer } = question;
      question = null;
      if (answer.textContent) {
        said.push({ role: "user", content }, { role: "assistant", content: answer.textContent });
      } else {
        asked.remove();
        answer.remove();
        text.value ||= content;
      }
      show();
      changed();
    },
  };
}
