"""The schema and the page to browse it."""

from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated


class SchemaView(SpectacularAPIView):
    """The OpenAPI document (YAML, or JSON by ``Accept`` or ``?format=json``)."""

    permission_classes = [IsAuthenticated]


class DocsView(TemplateView):
    """Swagger UI from the portal's own files: no internet, no inline script. Needs a session, as every page does."""

    template_name = "api/docs.html"
