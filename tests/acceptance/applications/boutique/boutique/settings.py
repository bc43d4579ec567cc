"""Answers to its own name alone, and only where the way to it was encrypted."""

import os

SECRET_KEY = os.environ.get("BOUTIQUE_KEY", "of no use to anybody")
ALLOWED_HOSTS = ["boutique.example"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
ROOT_URLCONF = "boutique.urls"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
USE_TZ = True
