// The search: everything is there without it. `index` is written above this when a site is made.
const form = document.getElementById("search");
const wanted = document.getElementById("wanted");
const found = document.getElementById("found");
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
wanted.addEventListener("input", () => {
  const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.replaceChildren();
  if (!words.length) return;
  const hits = index.filter((one) => {
    const text = `${one.name} ${one.says}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  for (const one of hits.slice(0, 20)) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${one.page}#${one.anchor}`;
    link.textContent = one.name;
    line.append(link, ` ${one.says}`);
    found.append(line);
  }
  if (!hits.length) found.textContent = "Nothing is called that.";
});
