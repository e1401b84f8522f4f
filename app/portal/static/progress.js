// Follows a submission while it travels, then shows the page of its end.
"use strict";

const live = document.getElementById("live");
const bar = document.getElementById("bar");
const source = new EventSource(live.dataset.events);

function follow(event) {
  const now = JSON.parse(event.data);
  for (const place of document.querySelectorAll("[data-count]")) {
    const count = (now.counts || {})[place.dataset.count];
    if (count !== undefined && count !== null) {
      place.textContent = Number(count).toLocaleString("en");
    }
  }
  document.getElementById("state").textContent = now.state;
  if (now.progress && now.progress.rows) {
    bar.max = now.progress.rows;
    bar.value = now.progress.accepted;
  }
  if (live.dataset.ends.split(" ").includes(now.state)) {
    source.close();
    location.reload();
  }
}

source.addEventListener("message", follow);
source.addEventListener("progress", follow);
source.addEventListener("end", follow);
