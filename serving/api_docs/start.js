// Starts Swagger UI on the API's own description. A file, because the page's content policy allows no inline script.
"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // would send the description to a server elsewhere
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
