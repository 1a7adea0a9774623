#!/bin/sh
# Makes the secrets of compose.yaml in docker/secrets, or in the folder named. Existing ones stay.
#
# The folder is its owner's alone; the files in it can be read by all, since the containers, whose
# users have other numbers, see the files and not the folder.
set -eu

folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

[ -e "$folder/ray_token" ] || random > "$folder/ray_token"
[ -e "$folder/postgres_password" ] || random > "$folder/postgres_password"
# The same password once more, where Postgres' clients look for it.
printf '[sweep]\npassword=%s\n' "$(cat "$folder/postgres_password")" > "$folder/pg_service.conf"
