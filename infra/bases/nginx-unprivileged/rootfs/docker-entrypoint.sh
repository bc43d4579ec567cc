#!/bin/sh
# The contract of the upstream image: before nginx starts, templates are filled in from the environment, and the
# scripts in /docker-entrypoint.d run.
set -eu
if [ "${1:-}" = nginx ] || [ "${1:-}" = nginx-debug ]; then
  variables=$(awk 'BEGIN {for (name in ENVIRON) if (name ~ "'"${NGINX_ENVSUBST_FILTER:-}"'") printf "${%s} ", name}')
  for template in "${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}"/*.template; do
    [ -e "$template" ] || continue
    name=$(basename "$template" .template)
    envsubst "$variables" <"$template" >"${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}/$name"
  done
  for script in /docker-entrypoint.d/*; do
    case $script in
      *.envsh) [ ! -x "$script" ] || . "$script" ;;
      *.sh) [ ! -x "$script" ] || "$script" ;;
    esac
  done
fi
exec "$@"
