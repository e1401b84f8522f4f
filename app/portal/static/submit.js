// Sends the chosen file, as it is, to the same door every other sender uses.
"use strict";

const TYPES = {
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  csv: "text/csv",
  txt: "text/plain",
  psv: "text/plain",
  json: "application/json",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
};

const form = document.getElementById("submit");
const problem = document.getElementById("problem");
const progress = document.getElementById("progress");
const button = form.querySelector("button");
const chosen = form.elements.file;
let key = freshKey();

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function sending(is) {
  button.disabled = is;
  progress.hidden = !is;
  progress.removeAttribute("value");
}

// Another file is other content: it needs another key. The same file sent again is a replay.
chosen.addEventListener("change", () => {
  key = freshKey();
  say("");
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  say("");
  const file = chosen.files[0];
  const type = TYPES[file.name.split(".").pop().toLowerCase()];
  if (!type) {
    say("This kind of file is not taken. Choose .xlsx, .csv, .txt, .json or .ndjson.");
    return;
  }
  const facility = form.elements.facility.value.trim();
  const door = new URL(form.dataset.door, location.origin);
  if (facility) {
    door.searchParams.set("facility", facility);
  }
  // XMLHttpRequest and not fetch: only it tells how much has been sent.
  const request = new XMLHttpRequest();
  request.open("POST", door);
  request.setRequestHeader("Content-Type", type);
  request.setRequestHeader("Idempotency-Key", key);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (step) => {
    if (step.lengthComputable) {
      progress.value = step.loaded / step.total;
    }
  });
  request.addEventListener("error", () => {
    sending(false);
    say("The service could not be reached. Nothing was lost: send the same file again.");
  });
  request.addEventListener("load", () => {
    sending(false);
    const answer = request.response;
    if (request.status >= 200 && request.status < 300 && answer && answer.id) {
      location.assign("/submissions/" + encodeURIComponent(answer.id) + "#first-finding");
      return;
    }
    say((answer && (answer.detail || answer.title)) || "The request failed with status " + request.status + ".");
  });
  sending(true);
  request.send(file);
});
