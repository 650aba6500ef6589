"""A user's own locustfile with the target's tab by one line, and a login as Locust's documentation makes one."""

from flask import Blueprint, redirect, request, session
from flask_login import UserMixin, login_user
from locust import constant, events, task

from floodmark.load import FloodUser, watch_target


class Visitor(FloodUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/")


class Somebody(UserMixin):
    id = "somebody"


@events.init.add_listener
def let_in(environment, **_):
    ui = environment.web_ui
    if ui is None or not ui.web_login:
        return
    ui.app.secret_key = "only for this test"  # noqa: S105 - it protects nothing
    ui.login_manager.user_loader(lambda _: Somebody())
    base = environment.parsed_options.web_base_path or ""
    ui.auth_args = {"username_password_callback": f"{base}/let-in"}
    door = Blueprint("door", __name__, url_prefix=base)

    @door.route("/let-in", methods=["POST"])
    def come_in():
        if request.form.get("password") != "open":
            session["auth_error"] = "not this one"
            return redirect(f"{base}/login")
        login_user(Somebody())
        return redirect(f"{base}/")

    ui.app.register_blueprint(door)


watch_target()
