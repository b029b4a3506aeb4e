// Airflow's UI shows this page in a frame of its own origin. All of this is a convenience: without it the page works.
"use strict";
(() => {
  const outer = (() => {
    try {
      return window.parent !== window && window.parent.document ? window.parent.document : null;
    } catch {
      return null; // of another origin
    }
  })();

  // The theme of the UI around the page, which may differ from the browser's.
  const takeTheme = () => {
    const classes = outer.documentElement.classList;
    if (classes.contains("dark") || classes.contains("light")) {
      document.documentElement.dataset.theme = classes.contains("dark") ? "dark" : "light";
    }
  };
  if (outer) {
    takeTheme();
    new MutationObserver(takeTheme).observe(outer.documentElement, { attributeFilter: ["class"] });
  }

  // Links to Airflow's own pages open there, and not a second Airflow in the frame. The frame's sandbox forbids it to navigate
  // its parent, but a link of the parent's own may be followed.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!outer || !link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const twin = outer.createElement("a");
    twin.href = link.href;
    outer.body.append(twin);
    twin.click();
    twin.remove();
  });

  // A load that runs: its live part is fetched anew, so that a search that is being typed stays.
  const refresh = async () => {
    const seconds = Number(document.body.dataset.refresh);
    if (!seconds) return;
    try {
      if (!document.hidden) {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
        if (answer.type === "opaqueredirect" || answer.status === 404) {
          location.reload(); // the session is over, or the load is gone
          return;
        }
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        const [here, there] = [document, next].map((one) => one.querySelector("[data-live]"));
        if (here && there) {
          const open = new Set([...here.querySelectorAll("details[open]")].map((one) => one.id));
          there.querySelectorAll("details").forEach((one) => { one.open = open.has(one.id); });
          if (!here.contains(document.activeElement)) here.replaceWith(document.adoptNode(there));
        }
        if (!next.body.dataset.refresh) {
          location.reload(); // it has ended: its rows, too
          return;
        }
      }
    } catch {
      // The server or the ledger is away for a moment: what is shown stays, and the next turn asks again.
    }
    setTimeout(refresh, seconds * 1000);
  };
  document.addEventListener("DOMContentLoaded", () => setTimeout(refresh, 1000 * (Number(document.body.dataset.refresh) || 0)));
})();
