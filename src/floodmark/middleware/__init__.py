"""One line for anyone's WSGI or ASGI application, so that Floodmark sees its handlers from inside.

    from floodmark.middleware.wsgi import ServerTiming     # Flask, Django, any WSGI application
    from floodmark.middleware.asgi import ServerTiming     # FastAPI, Starlette, any ASGI application
    app = ServerTiming(app)

Each answer then carries when its handler ran, and in which process and thread (`floodmark.core.evidence` has the
format). Standard library only, and of Floodmark only the format.
"""
