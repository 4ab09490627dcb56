// The band recipe of a collection: scenes are drawn again while the form is filled in, and progress keeps itself current.
(() => {
  const form = document.getElementById("recipe-form");
  if (!form) return;
  const WAIT_MS = 350;
  const POLL_MS = 4000;
  let timer = 0;
  let running = null;

  function query() {
    const fields = new FormData(form);
    fields.delete("csrfmiddlewaretoken");
    return new URLSearchParams(fields).toString();
  }

  async function page(address, signal) {
    const answer = await fetch(address, { signal, headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  function take(fresh, selector) {
    for (const old of document.querySelectorAll(selector)) {
      const name = old.dataset.errors;
      const now = fresh.querySelector(name ? `[data-errors="${name}"]` : selector);
      if (now) old.replaceChildren(...now.childNodes);
    }
  }

  async function preview() {
    running?.abort();
    running = new AbortController();
    const tries = document.getElementById("recipe-tries");
    tries.setAttribute("aria-busy", "true");
    try {
      const fresh = await page(`?${query()}`, running.signal);
      take(fresh, "#recipe-tries");
      take(fresh, "#recipe-errors");
      take(fresh, "[data-errors]");
      tries.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name !== "AbortError") tries.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(preview, WAIT_MS);
  });

  async function progress() {
    const shown = document.getElementById("recipe-progress");
    if (!shown || !("running" in shown.dataset)) return;
    try {
      const fresh = (await page(location.pathname)).getElementById("recipe-progress");
      if (fresh) {
        shown.replaceChildren(...fresh.childNodes);
        if (!("running" in fresh.dataset)) {
          delete shown.dataset.running;
          preview();
        }
      }
    } catch {
      // The next look may work again.
    }
    setTimeout(progress, POLL_MS);
  }
  setTimeout(progress, POLL_MS);
})();
