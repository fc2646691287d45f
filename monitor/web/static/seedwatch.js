/* Ask for this page again now and then, and put in what has changed. Everything works
   without it. Nothing moves under a reader: what holds the focus, a selection or an open
   detail is left as it is until the reader has gone on. */
"use strict";
const EVERY_MS = 20000;
let tag = "";

function isInUse(part) {
  const chosen = document.getSelection();
  return part.contains(document.activeElement) ||
    (!chosen.isCollapsed && part.contains(chosen.anchorNode)) ||
    part.querySelector("details[open]") !== null;
}

function putIn(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML || isInUse(part)) continue;
    const said = part.querySelector(".say");
    const says = next.querySelector(".say");
    part.replaceChildren(...document.importNode(next, true).childNodes);
    if ("news" in part.dataset && said && says && said.textContent !== says.textContent) {
      document.getElementById("news").textContent = says.textContent;
    }
  }
}

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {} });
  if (answer.status !== 200) return;
  tag = answer.headers.get("ETag") || "";
  putIn(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

setInterval(() => refresh().catch(() => {}), EVERY_MS);
