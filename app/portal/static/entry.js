// Draws a form from the questions that the API tells, rows of groups and rows inside them too, and sends
// what was typed to the door every other sender uses. What is wrong with it, the check says.
"use strict";

const entry = document.getElementById("entry");
const problem = document.getElementById("problem");
let version = "";
let drawn = null;
let count = 0;
let key = freshKey();
let sent = "";
let unsent = false;

// Seconds before a send that got no answer is tried again; with the same key it is never taken twice.
const AGAIN = [1, 3];

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(...told) {
  problem.replaceChildren(...told);
  problem.hidden = !told.length;
}

function changed() {
  key = freshKey(); // other content needs another key; the same sent again is a replay
  unsent = true;
  say();
}

function made(tag, given, ...inside) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value !== null && value !== undefined && value !== false) {
      one.setAttribute(name, value === true ? "" : value);
    }
  }
  one.append(...inside);
  return one;
}

// A level is the form, or one row of a group: its fields by element, its groups, and the level around it.
function level(around) {
  return { around, fields: new Map(), groups: new Map() };
}

function answers(of, element) {
  for (let at = of; at; at = at.around) {
    const field = at.fields.get(element);
    if (field) {
      const value = field.box.hidden ? null : field.value();
      return value === null ? [] : [].concat(value);
    }
  }
  return [];
}

function holds(condition, at) {
  if (!condition) {
    return null;
  }
  const one = (asked) => {
    const given = answers(at, asked.element);
    const found = asked.code === null ? given.length > 0 : given.includes(asked.code);
    return found === asked.holds;
  };
  return condition.all ? condition.all.every(one) : condition.any.some(one);
}

function refresh(at) {
  for (const field of at.fields.values()) {
    const shown = holds(field.asked.shown_when, at);
    field.box.hidden = shown === false;
    const needed = field.asked.required || holds(field.asked.required_when, at) === true;
    field.mark.hidden = !needed;
    if (field.shown.matches("input, select")) {
      field.shown.setAttribute("aria-required", String(needed));
    }
  }
  for (const group of at.groups.values()) {
    group.add.disabled = group.rows.length >= group.asked.at_most;
    group.rows.forEach((row, number) => {
      row.legend.textContent = group.asked.title + " " + (number + 1);
      row.remove.setAttribute("aria-label", "Take away " + row.legend.textContent);
      refresh(row.level);
    });
  }
}

function control(asked, id, hint) {
  const given = { id, "aria-describedby": hint, name: asked.element };
  if (asked.type === "codes") {
    const boxes = asked.choices.map((choice) => {
      const box = made("input", { type: "checkbox", value: choice.code });
      return { box, shown: made("label", { class: "choice" }, box, " " + choice.label) };
    });
    const all = made("div", { id, role: "group", "aria-describedby": hint }, ...boxes.map((one) => one.shown));
    const value = () => {
      const codes = boxes.filter((one) => one.box.checked).map((one) => one.box.value);
      return codes.length ? codes : null;
    };
    return { shown: all, value };
  }
  if (asked.choices.length || asked.type === "boolean") {
    const choices = asked.choices.length
      ? asked.choices
      : [{ code: "true", label: "Yes" }, { code: "false", label: "No" }];
    const options = choices.map((one) => made("option", { value: one.code }, one.label));
    const shown = made("select", given, made("option", { value: "" }, ""), ...options);
    return { shown, value: () => shown.value || null };
  }
  const kinds = { date: asked.precision === "day" ? "date" : asked.precision === "month" ? "month" : "text" };
  // What is not known may be a number outside of the limits: the check knows both, so a page enforces neither.
  const modes = { integer: "numeric", decimal: "decimal", npi: "numeric" };
  const shown = made("input", {
    ...given,
    type: kinds[asked.type] || "text",
    inputmode: modes[asked.type],
    maxlength: asked.max_length,
    autocomplete: "off",
  });
  return { shown, value: () => shown.value.trim() || null };
}

function hinted(asked) {
  const parts = [];
  if (asked.unit) {
    parts.push("In " + asked.unit + ".");
  }
  if (asked.minimum !== null || asked.maximum !== null) {
    parts.push([asked.minimum, asked.maximum].map((one) => one ?? "…").join(" to ") + ".");
  }
  if (asked.unknown.length) {
    parts.push("Not known: " + asked.unknown.join(", ") + ".");
  }
  if (asked.list) {
    parts.push("As on your own list of " + asked.list + ".");
  }
  if (asked.type === "datetime") {
    parts.push("With the offset from UTC, such as 2026-03-01T14:05:00-05:00.");
  }
  if (asked.help) {
    parts.push(asked.help);
  }
  return parts.join(" ");
}

function question(asked, at) {
  const id = "q" + ++count;
  const text = hinted(asked);
  const { shown, value } = control(asked, id, text ? id + "-hint" : null);
  const mark = made("strong", { class: "needed", hidden: true }, " needed");
  const title = made(asked.type === "codes" ? "span" : "label", { for: asked.type === "codes" ? null : id, id: id + "-label" }, asked.title, mark);
  if (asked.type === "codes") {
    shown.setAttribute("aria-labelledby", id + "-label");
  }
  const hint = text ? [made("span", { class: "hint", id: id + "-hint" }, text)] : [];
  const box = made("div", { "data-element": asked.element }, title, shown, ...hint);
  at.fields.set(asked.element, { asked, box, mark, shown, value });
  return box;
}

function rowsOf(asked, at) {
  const list = made("div", { class: "rows" });
  const add = made("button", { type: "button", class: "plain", "data-add": asked.group }, "Add " + asked.title.toLowerCase());
  const group = { asked, rows: [], add };
  at.groups.set(asked.group, group);

  function more() {
    const inner = level(at);
    const legend = made("legend", {});
    const remove = made("button", { type: "button", class: "plain", "data-remove": asked.group }, "Take away");
    const box = made("fieldset", { "data-row": asked.group }, legend, ...drawnLevel(asked, inner), remove);
    const row = { level: inner, legend, box, remove };
    remove.addEventListener("click", () => {
      changed();
      const place = group.rows.indexOf(row);
      group.rows.splice(place, 1);
      box.remove();
      refresh(drawn);
      (group.rows[place]?.remove ?? add).focus(); // a keyboard goes on where the row was
    });
    group.rows.push(row);
    list.append(box);
  }

  for (let number = 0; number < asked.at_least; number++) {
    more();
  }
  add.addEventListener("click", () => {
    changed();
    more();
    refresh(drawn);
    const shown = list.lastElementChild.querySelectorAll("input, select");
    [...shown].find((one) => !one.closest("[hidden]"))?.focus();
  });
  const help = asked.help ? [made("p", { class: "hint" }, asked.help)] : [];
  return made("fieldset", { "data-group": asked.group }, made("legend", {}, asked.title), ...help, list, add);
}

function drawnLevel(asked, at) {
  return [...asked.questions.map((one) => question(one, at)), ...asked.groups.map((one) => rowsOf(one, at))];
}

function typed(at) {
  const found = {};
  for (const [element, field] of at.fields) {
    const value = field.box.hidden ? null : field.value();
    if (value !== null) {
      found[element] = value;
    }
  }
  for (const [name, group] of at.groups) {
    if (group.rows.length) {
      found[name] = group.rows.map((row) => typed(row.level));
    }
  }
  return found;
}

async function draw() {
  const answer = await fetch(entry.dataset.questions, { headers: { Accept: "application/json" } });
  const asked = await answer.json();
  if (!answer.ok) {
    say(asked.detail || asked.title);
    return;
  }
  version = asked.version;
  drawn = level(null);
  const sections = asked.sections.map((one) =>
    made("fieldset", { "data-section": one.form }, made("legend", {}, one.title), ...drawnLevel(one, drawn)),
  );
  document.getElementById("questions").replaceChildren(...sections);
  refresh(drawn);
  entry.dataset.ready = "true";
}

// The answer to a request, asked again while none comes; null when none came at all.
async function answered(door, request) {
  for (const seconds of [...AGAIN, null]) {
    const answer = await fetch(door, request).catch(() => null);
    const told = answer && (await answer.json().catch(() => null));
    if (told || seconds === null) {
      return told && { answer, told };
    }
    say("The service does not answer. It is asked again…");
    await new Promise((on) => setTimeout(on, seconds * 1000));
  }
}

function refused({ answer, told }) {
  if (answer.status === 401) {
    const door = made("a", { href: "/sign-in", target: "_blank", rel: "noopener" }, "Sign in in another tab");
    say("Your session has ended. Nothing is lost: ", door, ", come back here and send it again.");
  } else {
    say(told.detail || told.title);
  }
}

addEventListener("beforeunload", (event) => {
  if (unsent) {
    event.preventDefault(); // what was typed is nowhere else
  }
});

entry.addEventListener("input", () => {
  changed();
  if (drawn) {
    refresh(drawn);
  }
});

entry.addEventListener("submit", async (event) => {
  event.preventDefault();
  const action = event.submitter ? event.submitter.value : "submit";
  if (sent && sent !== action) {
    key = freshKey(); // a draft is other content than the entry
  }
  sent = action;
  const facility = entry.elements.facility.value.trim();
  const door = new URL(entry.dataset.door, location.origin);
  door.searchParams.set("version", version);
  if (facility) {
    door.searchParams.set("facility", facility);
  }
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key, Accept: "application/json" },
    body: JSON.stringify({ form: entry.dataset.form, action, elements: typed(drawn) }),
  };
  say();
  const rest = [...entry.children].filter((one) => one !== problem);
  rest.forEach((one) => (one.inert = true)); // what is being sent stays as it is
  const came = await answered(door, request);
  rest.forEach((one) => (one.inert = false));
  if (came?.answer.ok) {
    unsent = false;
    location.assign("/submissions/" + encodeURIComponent(came.told.id) + "#first-finding");
    return;
  }
  if (came) {
    refused(came);
  } else {
    say("The service could not be reached. Nothing is lost: send it again.");
  }
  problem.focus();
});

draw().catch(() => say("The questions could not be read. Load the page again."));
