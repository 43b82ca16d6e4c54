{{/* The release, with `winnow` in it. A Service's name begins with a letter and has no dots, which a release's may. */}}
{{- define "winnow.fullname" -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}{{- $name = printf "%s-%s" .Chart.Name $name -}}
{{- else if not (contains .Chart.Name $name) -}}{{- $name = printf "%s-%s" $name .Chart.Name -}}
{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What a component is called in names and labels: at most 40 characters, kept apart by a hash where it is cut. */}}
{{- define "winnow.component" -}}
{{- $name := . | lower | replace "_" "-" | replace "." "-" -}}
{{- if or (gt (len $name) 40) (ne $name .) -}}
{{- $name = printf "%s-%s" ($name | trunc 31 | trimSuffix "-") (. | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* The name of a component's objects: dict root, component. At most 63 characters; releases that differ late are kept apart by a hash. */}}
{{- define "winnow.name" -}}
{{- $release := include "winnow.fullname" .root -}}
{{- if gt (len $release) 22 -}}
{{- $release = printf "%s-%s" ($release | trunc 13 | trimSuffix "-") (.root.Release.Name | sha256sum | trunc 8) -}}
{{- end -}}
{{- printf "%s-%s" $release (include "winnow.component" .component) -}}
{{- end }}

{{- define "winnow.selector" -}}
app.kubernetes.io/name: winnow
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ include "winnow.component" .component }}
{{- end }}

{{- define "winnow.labels" -}}
{{ include "winnow.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "winnow.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "winnow.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* dict root, settings */}}
{{- define "winnow.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (default (dict) .settings.image) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end }}

{{/* winnow.yaml: what the chart sets, under what `config` says, under what the workload says. dict root, settings */}}
{{- define "winnow.config" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $metrics := dict "port" 9464 "host" "0.0.0.0" -}}
{{- if not ($secrets.metricsToken).name -}}{{- $_ := set $metrics "openly" true -}}{{- end -}}
{{- $kafka := dict -}}
{{- if ($secrets.kafkaCa).name -}}{{- $_ := set $kafka "ca" "/etc/winnow-secrets/kafkaCa" -}}{{- end -}}
{{- if ($secrets.kafkaClient).name -}}
{{- $_ := set $kafka "certificate" "/etc/winnow-secrets/kafkaClient.crt" -}}
{{- $_ := set $kafka "key" "/etc/winnow-secrets/kafkaClient.key" -}}
{{- end -}}
{{- $own := dict "metrics" $metrics "kafka" $kafka "dataFolder" "/data" -}}
{{- $all := mergeOverwrite $own (deepCopy .root.Values.config) (deepCopy (default (dict) .settings.config)) -}}
{{- if not $all.actors -}}{{- $_ := unset $all "actors" -}}{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* Secrets that are files, and the variables that name these. */}}
{{- define "winnow.secretFiles" -}}
kafkaPassword: WINNOW_KAFKA_PASSWORD_FILE
kafkaToken: WINNOW_KAFKA_TOKEN_FILE
registryPassword: WINNOW_REGISTRY_PASSWORD_FILE
clickhousePassword: WINNOW_CLICKHOUSE_PASSWORD_FILE
extraCa: NODE_EXTRA_CA_CERTS
kafkaCa: ""
{{- end }}

{{/* The projected sources of the mounted secrets; empty if there are none. */}}
{{- define "winnow.secretSources" -}}
{{- $secrets := .Values.secrets -}}
{{- range $key, $_ := include "winnow.secretFiles" . | fromYaml }}
{{- with index $secrets $key }}{{ if .name }}
- secret: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: {{ $key }} }] }
{{- end }}{{ end }}
{{- end }}
{{- with $secrets.kafkaClient }}{{ if .name }}
- secret:
    name: {{ .name | quote }}
    items: [{ key: {{ .certificate | quote }}, path: kafkaClient.crt }, { key: {{ .key | quote }}, path: kafkaClient.key }]
{{- end }}{{ end }}
{{- end }}

{{/* The claim of a folder that is mounted; empty if there is none. dict root, folder */}}
{{- define "winnow.claim" -}}
{{- $storage := index .root.Values.storage .folder -}}
{{- if $storage.existingClaim -}}{{- $storage.existingClaim -}}
{{- else if $storage.size -}}{{- printf "%s-%s" (include "winnow.fullname" .root) .folder -}}
{{- end -}}
{{- end }}

{{/* The port of host:port or a URL. */}}
{{- define "winnow.portOf" -}}
{{- $port := regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" -}}
{{- if $port -}}{{- $port -}}
{{- else if hasPrefix "https:" . -}}443
{{- else if hasPrefix "http:" . -}}80
{{- else -}}9092
{{- end -}}
{{- end }}
