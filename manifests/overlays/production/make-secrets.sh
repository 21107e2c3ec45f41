#!/bin/sh
# Prints the Secrets that this overlay needs: certificates of an authority made for it, and passwords. Without cert-manager or a store of
# secrets this is enough; run it once, for a second run makes others. Arguments are further names of the servers, as for leaf nodes:
#   ./make-secrets.sh DNS:nats.example.com | kubectl apply --namespace cr-reactor -f -
set -eu
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

names="DNS:nats,DNS:nats.cr-reactor.svc,DNS:*.nats,DNS:*.nats.cr-reactor.svc,DNS:*.nats.cr-reactor.svc.cluster.local"
for name in "$@"; do names="$names,$name"; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=cr-reactor NATS" \
  -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.crt 2> log || { cat log >&2; exit 1; }
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=nats" -keyout tls.key -out tls.csr 2> log \
  || { cat log >&2; exit 1; }
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$names" > extensions
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile extensions -out tls.crt 2> log \
  || { cat log >&2; exit 1; }

encode() { openssl base64 -A -in "$1"; }
# A letter first, because nats-server reads a password from its environment as it reads its configuration.
password() { printf 'p%s' "$(openssl rand -hex 24)"; }
cat << YAML
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: { name: nats-tls }
data:
  ca.crt: $(encode ca.crt)
  tls.crt: $(encode tls.crt)
  tls.key: $(encode tls.key)
---
apiVersion: v1
kind: Secret
metadata: { name: nats-users }
stringData:
  bridge: $(password)
  bridge-edge: $(password)
  functions: $(password)
  operator: $(password)
YAML
