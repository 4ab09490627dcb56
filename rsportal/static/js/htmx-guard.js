// What htmx must not do: put the login page into a part of this one, or fail in silence.

document.addEventListener("htmx:beforeSwap", (event) => {
  const answered = new URL(event.detail.xhr.responseURL, location.href);
  const asked = new URL(event.detail.pathInfo.requestPath, location.href);
  if (answered.pathname === asked.pathname) return;
  if (event.detail.requestConfig.verb === "get") {
    // The session ended: loading the page again leads to the login page and back here.
    event.detail.shouldSwap = false;
    location.reload();
  }
});

for (const failure of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(failure, (event) => event.detail.target?.setAttribute("data-lost", ""));
}

document.addEventListener("htmx:beforeRequest", (event) => event.detail.target?.removeAttribute("data-lost"));
