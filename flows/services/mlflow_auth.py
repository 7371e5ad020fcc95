"""Who may use the MLflow server of `ganflow up`: the rule that MLflow's own basic-auth app asks at each request.

The home's secret opens it, whatever password of an older secret the app's database holds. Further users are the app's
own matter. A browser sends a password that it was given once along with whatever a page asks of this server, so what
other pages ask is refused; MLflow alone would let pages of any port of this machine pass.
"""

import hmac
import os

from flask import Request, Response, make_response, request
from werkzeug.datastructures import Authorization

from flows.services.secret import NAME


def authenticate() -> Authorization | Response:
    """Judge Flask's current request: what it may go on with, or the answer that refuses it."""
    if not comes_from_own_page(request):
        return make_response("Another web page asks for this: open MLflow's own page.", 403)
    wrong = make_response("Wrong password.", 401, {"WWW-Authenticate": 'Basic realm="mlflow"'})
    try:
        given = request.authorization
    except ValueError:  # the header is no ASCII
        return wrong
    if given is None or given.type != "basic" or given.username != NAME:
        from mlflow.server.auth import authenticate_request_basic_auth  # which imports this module

        return authenticate_request_basic_auth()
    if hmac.compare_digest((given.password or "").encode(), os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"].encode()):
        return given
    return wrong


def comes_from_own_page(asked: Request) -> bool:
    """Whether a page of this server asks, a person who follows a link to it, or no browser at all.

    Args:
        asked: a request whose Host is known to be a name of this server.
    """
    origin = asked.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != asked.host:  # whatever it is, it is not taken apart
        return False
    if asked.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return True
    follows_link = (
        asked.headers.get("Sec-Fetch-Mode") == "navigate" and asked.headers.get("Sec-Fetch-Dest") == "document"
    )
    return follows_link and asked.method == "GET"
