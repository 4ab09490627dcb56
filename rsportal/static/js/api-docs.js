// Draws the browsable API page from the schema; requests tried there carry the session's CSRF token.
(() => {
  const place = document.getElementById("api-docs");
  const { schema, csrf } = place.dataset;
  window.SwaggerUIBundle({
    url: schema,
    domNode: place,
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    requestInterceptor(request) {
      if (new URL(request.url, location.href).origin === location.origin) {
        request.headers["X-CSRFToken"] = csrf;
      }
      return request;
    },
  });
})();
