{{- /* What the Pods of bridge and functions have in common. */ -}}
{{- define "cr-reactor.labels" -}}
app.kubernetes.io/part-of: cr-reactor
{{- end }}

{{- define "cr-reactor.config-name" -}}
{{ .name }}-{{ .data | toYaml | sha256sum | trunc 10 }}
{{- end }}

{{- define "cr-reactor.nats-data" -}}
NATS_URL: {{ .Values.nats.url | quote }}
{{- end }}

{{- define "cr-reactor.pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "cr-reactor.pod-env" -}}
- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
- { name: POD_UID, valueFrom: { fieldRef: { fieldPath: metadata.uid } } }
{{- end }}

{{- define "cr-reactor.container" -}}
{{- with .root.Values.image }}
image: "{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.root.Chart.AppVersion }}{{ end }}"
{{- end }}
{{- if ne .root.Values.image.pullPolicy "IfNotPresent" }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end }}
{{- with concat (.env | default list) (.settings.env | default list) }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
envFrom:
  - configMapRef: { name: {{ include "cr-reactor.config-name" (dict "name" "nats" "data" (include "cr-reactor.nats-data" .root)) }} }
  - secretRef: { name: {{ .root.Values.nats.credentialsSecret }}, optional: true }
ports:
  - { name: health, containerPort: 8080 }
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 5
  timeoutSeconds: 5
resources:
  {{- toYaml .settings.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: config, mountPath: /etc/cr-reactor, readOnly: true }
  {{- with .settings.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
