"""The zoo's Django application for ASGI servers, with `def` views; the evidence is the middleware's, as in anyone's.

Django runs such a view in a thread that the middleware around it cannot see: hence the decorator.
"""

import contract
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from floodmark.middleware.asgi import ServerTiming
from floodmark.middleware.handler_run import handler

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None)


@handler
def hello(request: HttpRequest) -> HttpResponse:
    return _held(request, contract.HELLO, contract.HELLO_HOLD_S)


@handler
def health(request: HttpRequest) -> HttpResponse:
    return _held(request, contract.HEALTHY, contract.HEALTH_HOLD_S)


def _held(request: HttpRequest, text: str, default_s: float) -> HttpResponse:
    try:
        hold_s = contract.parse_hold(request.GET.get("hold"), default_s)
    except contract.BadHoldError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    contract.hold(hold_s, request.GET.get("id"))
    return HttpResponse(text, content_type="text/plain")


urlpatterns = [path("", hello), path("health", health)]
app = ServerTiming(get_asgi_application())
