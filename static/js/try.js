// The panel that tries a model. It uses the public API with a token that is good for this model and some minutes.
const panel = document.getElementById("try");
const words = JSON.parse(document.getElementById("try-words").textContent);
const output = panel.querySelector("[data-output]");
const meta = panel.querySelector("[data-meta]");
const run = panel.querySelector("[data-run]");
const stop = panel.querySelector("[data-stop]");
// The first snippet follows what is tried.
const code = document.getElementById("snippet-code-1");
const streams = panel.dataset.streams === "true";
const example = JSON.parse(document.getElementById("try-example").textContent);
const examples = JSON.parse(document.getElementById("try-examples").textContent);
let token = null;
let running = null;

let widget; // while it is being mounted it may already say that its fields changed
widget = (await import(`/static/js/widgets/${panel.dataset.widget}.js`)).mount(panel.querySelector("[data-widget-body]"), {
  example,
  examples,
  words,
  changed: showCode,
  run: () => run.click(),
});

function showCode() {
  const own = code?.textContent.includes("/predictions");
  if (!own && !code?.textContent.includes("/chat/completions")) return;
  const input = shortened(widget?.input() ?? example);
  const body = JSON.stringify(own ? { input } : { model: panel.dataset.model, ...input }).replaceAll("'", "'\\''");
  code.textContent = `curl ${panel.dataset.site}${own ? panel.dataset.endpoint : "/v1/chat/completions"} \\\n  -H "Authorization: Bearer $MERCATO_API_KEY" \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

function shortened(input) {
  return input.image?.length > 4000 ? { ...input, image: `${input.image.slice(0, 60)}…` } : input;
}

async function authorization() {
  if (!token || token.until < Date.now() + 30_000) {
    const csrf = document.querySelector("meta[name=csrf-token]").content;
    const response = await fetch(panel.dataset.tokenUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
      body: JSON.stringify({ model: panel.dataset.model }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(body.error.message);
    token = { value: body.token, until: Date.parse(body.expires_at) };
  }
  return `Bearer ${token.value}`;
}

function say(...parts) {
  meta.replaceChildren(...parts.filter(Boolean).map((text) => Object.assign(document.createElement("span"), { textContent: text })));
}

function fail(message) {
  const box = Object.assign(document.createElement("div"), { className: "alert error", textContent: message });
  box.setAttribute("role", "alert");
  output.replaceChildren(box);
}

function finished(prediction, cost, id, started) {
  say(`${words.cost} $${cost ?? prediction.cost}`, `${Math.round(performance.now() - started)} ms`, id);
}

async function* events(response) {
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    rest += chunk;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      const lines = rest.slice(0, end).split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (data) yield [name, JSON.parse(data)];
    }
  }
}

run.addEventListener("click", async () => {
  const input = widget.input();
  if (!input || running) return;
  running = new AbortController();
  run.disabled = true;
  stop.hidden = !streams;
  if (streams) output.replaceChildren();
  widget.sent?.();
  const waiting = setTimeout(() => say(words.working), 300);
  const started = performance.now();
  try {
    const response = await fetch(panel.dataset.endpoint, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Authorization: await authorization(),
        Accept: streams ? "text/event-stream" : "application/json",
      },
      body: JSON.stringify({ input }),
      signal: running.signal,
    });
    const id = response.headers.get("x-request-id");
    if (!response.ok) throw new Error((await response.json()).error.message);
    if (streams) {
      const place = widget.place?.() ?? output.appendChild(Object.assign(document.createElement("div"), { className: "written" }));
      widget.begin?.(place, input);
      for await (const [name, data] of events(response)) {
        if (name === "output") place.append(data.text);
        if (name === "error") throw new Error(data.error.message);
        if (name === "completed") {
          clearTimeout(waiting);
          finished(data, data.cost, id, started);
        }
      }
    } else {
      const prediction = await response.json();
      clearTimeout(waiting);
      output.replaceChildren(widget.show(prediction.output, words));
      finished(prediction, response.headers.get("x-mercato-cost"), id, started);
    }
  } catch (error) {
    if (error.name === "AbortError") say(words.stopped);
    else fail(error.message);
  } finally {
    clearTimeout(waiting);
    running = null;
    run.disabled = false;
    stop.hidden = true;
    widget.ended?.();
  }
});
stop.addEventListener("click", () => running?.abort());
run.textContent = panel.querySelector("[data-verb]")?.dataset.verb ?? run.textContent;
run.hidden = false;
showCode();
