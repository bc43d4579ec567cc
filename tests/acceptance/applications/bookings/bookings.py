"""Takes bookings; slow to wake: it loads its timetable when it is asked for the first time."""

import os
import threading
import time

import psycopg
from flask import Flask, request

EDITION = "first"
LOADING_SECONDS = 8
app = Flask(__name__)
loading, timetable = threading.Lock(), []


@app.before_request
def load():
    with loading:
        if not timetable:
            time.sleep(LOADING_SECONDS)
            timetable.append("every hour")


def connect():
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


@app.get("/")
def home():
    return {"edition": EDITION, "timetable": timetable}


@app.post("/say")
def book():
    token = request.get_data(as_text=True).strip()
    with connect() as connection:
        connection.execute("insert into booking(token) values (%s)", [token])
    return {"said": token}, 201


@app.get("/said")
def booked():
    with connect() as connection:
        return dict(connection.execute("select token, count(*) from booking group by token").fetchall())


@app.get("/confirmed")
def confirmed():
    with connect() as connection:
        return {"confirmed": connection.execute("select count(*) from confirmed").fetchone()[0]}
