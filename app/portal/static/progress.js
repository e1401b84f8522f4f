// Follows a submission while it travels, then shows the page of its end.
"use strict";

const live = document.getElementById("live");
const bar = document.getElementById("bar");
const state = document.getElementById("state");
const source = new EventSource(live.dataset.events);

function follow(event) {
  const now = JSON.parse(event.data);
  state.textContent = now.state;
  if (now.entries !== null) {
    // Three steps touch every entry; the bar shows how much of all that is done.
    bar.max = Math.max(now.entries * 3, 1);
    bar.value = now.progress.read + now.progress.checked + now.progress.accepted;
    document.getElementById("done").textContent =
      now.progress.accepted.toLocaleString("en") + " of " + now.entries.toLocaleString("en") + " entries";
  }
  if (live.dataset.ends.split(" ").includes(now.state)) {
    source.close();
    location.reload();
  }
}

source.addEventListener("submission", follow);
