import os

from flask import Flask, jsonify, request

from app.storage import add, entries, is_there


def create_app():
    app = Flask(__name__)

    @app.get("/healthz")
    def health():
        return ("ok", 200) if is_there() else ("no database", 503)

    @app.get("/")
    def index():
        return jsonify(greeting=os.environ.get("GREETING", "Hello"), entries=entries())

    @app.post("/")
    def write():
        return jsonify(id=add(request.get_json()["text"])), 201

    return app
