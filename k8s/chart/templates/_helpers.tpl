{{- define "majordomo.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "majordomo.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{/* All pods of the release: the gateways and the Job. */}}
{{- define "majordomo.part" -}}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "majordomo.labels" -}}
{{ include "majordomo.part" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "majordomo.image" -}}
{{- if .Values.image.digest }}{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{- define "majordomo.databaseSecret" -}}
{{ .Values.database.existingSecret | default (printf "%s-database" (include "majordomo.name" .)) }}
{{- end }}

{{- define "majordomo.ownerSecret" -}}
{{ .Values.database.ownerExistingSecret | default (printf "%s-owner" (include "majordomo.name" .)) }}
{{- end }}

{{- define "majordomo.metricsSecret" -}}
{{ .Values.metrics.existingSecret | default (printf "%s-metrics" (include "majordomo.name" .)) }}
{{- end }}

{{- define "majordomo.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "majordomo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* The spec of a gateway's pod, for the Deployment and the StatefulSet. */}}
{{- define "majordomo.pod" -}}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "majordomo.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "majordomo.selector" . | nindent 8 }}
containers:
  - name: gateway
    image: {{ include "majordomo.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: ["serve"]
    ports:
      - name: http
        containerPort: 7680
    env:
      # A directory inside the volume, which the gateway creates with access for itself only.
      - name: MAJORDOMO_STORAGE_DATA_DIR
        value: /var/lib/majordomo/data
      {{- with .Values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    envFrom:
      - secretRef:
          name: {{ include "majordomo.databaseSecret" . }}
      - secretRef:
          name: {{ include "majordomo.metricsSecret" . }}
      {{- with .Values.envFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    # If the database is unavailable, Kubernetes must not kill gateways that serve cached keys and store rows.
    startupProbe:
      httpGet: { path: /health, port: http }
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: { path: /health, port: http }
      periodSeconds: 10
      timeoutSeconds: 3
      failureThreshold: 3
    readinessProbe:
      httpGet: { path: /readyz, port: http }
      periodSeconds: 5
      timeoutSeconds: 4
      failureThreshold: 2
    lifecycle:
      preStop:
        exec:
          # Until the endpoints have forgotten this pod, it goes on to take requests.
          command: ["sleep", "5"]
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- include "majordomo.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - name: data
        mountPath: /var/lib/majordomo
      - name: config
        mountPath: /etc/majordomo
        readOnly: true
      - name: tmp
        mountPath: /tmp
volumes:
  {{- if not .Values.persistence.enabled }}
  - name: data
    emptyDir:
      sizeLimit: {{ .Values.persistence.size }}
  {{- end }}
  - name: config
    configMap:
      name: {{ include "majordomo.name" . }}
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
{{- end }}
