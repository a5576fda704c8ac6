// A prompt and how to continue it; the answer comes letter by letter.
export function mount(body, { changed }) {
  const prompt = body.querySelector("textarea");
  const most = body.querySelector("[name=max_tokens]");
  const heat = body.querySelector("[name=temperature]");
  body.addEventListener("input", changed);
  return {
    input: () => (prompt.value ? { prompt: prompt.value, max_tokens: Number(most.value), temperature: Number(heat.value) } : null),
    begin(place, input) {
      place.append(Object.assign(document.createElement("strong"), { textContent: input.prompt }));
    },
  };
}
