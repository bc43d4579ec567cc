"""What it sells, and what it was told."""

from collections import Counter
from pathlib import Path

from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

EDITION = "first"
SAID = Path("/var/lib/boutique/said")


def home(request):
    return JsonResponse(
        {"edition": EDITION, "client": request.headers.get("X-Forwarded-For"), "host": request.get_host()}
    )


@csrf_exempt
def say(request):
    token = request.body.decode().strip()
    with SAID.open("a") as file:
        file.write(f"{token}\n")
    return JsonResponse({"said": token}, status=201)


def said(request):
    return JsonResponse(Counter(SAID.read_text().split() if SAID.exists() else []))


urlpatterns = [path("", home), path("say", say), path("said", said)]
