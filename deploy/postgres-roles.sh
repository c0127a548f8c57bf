#!/bin/sh
# Runs in the container of PostgreSQL when it creates its data directory.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --set owner_password="$OWNER_PASSWORD" --set gateway_password="$GATEWAY_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --file /roles.sql
