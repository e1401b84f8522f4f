// Whoever comes from sending goes on reading where something was found: browsers do not, after a reload.
"use strict";

if (location.hash === "#first-finding") {
  document.getElementById("first-finding")?.focus();
}
