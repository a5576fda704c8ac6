// Sends the file of a form in parts, so that a broken connection costs one of them. Without this the form sends it whole.
// Its other fields go along when the upload begins.
const form = document.querySelector("form[data-upload]");
const says = form?.querySelector("[data-upload-says]");
const bar = form?.querySelector("[data-upload-progress]");
const words = JSON.parse(document.getElementById("upload-words").textContent);
const token = document.querySelector("meta[name=csrf-token]").content;
const TRIES = 6;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    location.assign(form.dataset.things + (await send(file)));
  } catch (error) {
    says.textContent = error.message || words.failed;
    bar.hidden = true;
    button.disabled = false;
  }
});

async function send(file) {
  says.textContent = words.sending;
  bar.hidden = false;
  const fields = new FormData(form);
  for (const name of ["file", "csrfmiddlewaretoken"]) fields.delete(name);
  const texts = [...fields].map(([name, value]) => `${name}=${value.name ?? value}`);
  const known = ["upload", file.name, file.size, file.lastModified, ...texts].join(" ");
  fields.append("name", file.name);
  fields.append("size", file.size);
  let { id, received } = await begun(localStorage.getItem(known), file, fields);
  localStorage.setItem(known, id);
  for (let tries = 0; received < file.size; ) {
    bar.value = (100 * received) / file.size;
    try {
      received = await part(id, file, received);
      tries = 0;
    } catch (error) {
      if (error.final || ++tries > TRIES) throw error.final ? error : new Error(words.failed);
      says.textContent = words.again;
      await pause(500 * 2 ** tries);
      received = (await ask(id))?.received ?? received;
      says.textContent = words.sending;
    }
  }
  localStorage.removeItem(known);
  return id;
}

// The upload that broke off, or a new one.
async function begun(id, file, fields) {
  const there = id && (await ask(id));
  if (there?.state === "uploading" && there.size === file.size) return { id, received: there.received };
  const answer = await fetch(form.dataset.upload, { method: "POST", body: fields, headers: { "X-CSRFToken": token } });
  const made = await answer.json();
  if (!answer.ok) throw new Error(made.message);
  return made;
}

async function ask(id) {
  const answer = await fetch(`${form.dataset.things}${id}/content`).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

async function part(id, file, from) {
  const to = Math.min(from + Number(form.dataset.chunk), file.size);
  const answer = await fetch(`${form.dataset.things}${id}/content`, {
    method: "PUT",
    body: file.slice(from, to),
    headers: { "Content-Range": `bytes ${from}-${to - 1}/${file.size}`, "Content-Type": "application/octet-stream", "X-CSRFToken": token },
  });
  const told = await answer.json();
  if (answer.ok || "received" in told) return told.received;
  throw Object.assign(new Error(told.message), { final: answer.status < 500 });
}
