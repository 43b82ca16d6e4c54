{{/* The template of a pod: a workload of winnow.workloads, and root. */}}
{{- define "winnow.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $settings := .settings -}}
{{- $secrets := $values.secrets -}}
{{- /* Kubernetes takes no variable twice; that of the values counts. */ -}}
{{- $named := list -}}
{{- range $settings.env -}}{{- $named = append $named .name -}}{{- end -}}
{{- $keys := ternary dict (default dict $secrets.masterKeys) (default false .textless) -}}
metadata:
  labels:
    {{- include "winnow.labels" . | nindent 4 }}
    {{- with $settings.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration starts new pods.
    checksum/config: {{ include "winnow.config" . | sha256sum }}
    {{- with $settings.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "winnow.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if eq .kind "Job" }}
  restartPolicy: Never
  {{- end }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- range $field, $given := dict "imagePullSecrets" $values.image.pullSecrets "priorityClassName" $settings.priorityClassName "nodeSelector" $settings.nodeSelector "tolerations" $settings.tolerations "affinity" $settings.affinity "topologySpreadConstraints" $settings.topologySpreadConstraints }}
  {{- with $given }}
  {{- dict $field . | toYaml | nindent 2 }}
  {{- end }}
  {{- end }}
  containers:
    - name: winnow
      image: {{ include "winnow.image" . | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- if eq .kind "Job" }}
      # Told to end, winnow ends with 0, and a Job would take its pod for done: then 143, and another pod goes on.
      command:
        - sh
        - -c
        - |
          trap 'told=1; kill -TERM $child' TERM
          node /app/deploy/bin.mjs "$@" & child=$!
          wait $child; code=$?
          if [ "$told" ]; then wait $child; code=$?; [ $code != 0 ] || code=143; fi
          exit $code
        - winnow
      {{- else }}
      {{- with .command }}
      command: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .args }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        {{- if not (has "HOME" $named) }}
        # For what libraries write beside their data.
        - { name: HOME, value: /tmp }
        {{- end }}
        {{- range $key, $variable := include "winnow.secretFiles" . | fromYaml }}
        {{- if and $variable (index $secrets $key).name (not (has $variable $named)) }}
        - { name: {{ $variable }}, value: /etc/winnow-secrets/{{ $key }} }
        {{- end }}
        {{- end }}
        {{- if and $keys.name (not (has "WINNOW_CORPUS_ENCRYPTION" $named)) }}
        - { name: WINNOW_CORPUS_ENCRYPTION, value: /etc/winnow-keys/master-keys.json }
        {{- end }}
        {{- range $variable, $secret := dict "WINNOW_METRICS_TOKEN" (default dict $secrets.metricsToken) "WINNOW_BOARD_TOKEN" (eq .probe "board" | ternary (default dict $secrets.boardToken) dict) }}
        {{- if and $secret.name (not (has $variable $named)) }}
        - name: {{ $variable }}
          valueFrom: { secretKeyRef: { name: {{ $secret.name | quote }}, key: {{ $secret.key | quote }} } }
        {{- end }}
        {{- end }}
        {{- with $settings.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if .probe }}
      ports:
        - { name: {{ .probe }}, containerPort: {{ eq .probe "board" | ternary $values.board.port 9464 }} }
      # Alive as long as it answers at all: a restart mends nothing that a broker or ClickHouse lacks.
      livenessProbe:
        httpGet: { path: /livez, port: {{ .probe }} }
        initialDelaySeconds: 30
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Ready once all that it runs has loaded and joined, while its dependencies answer, which are given 4 s.
      readinessProbe:
        httpGet: { path: /readyz, port: {{ .probe }} }
        periodSeconds: 5
        timeoutSeconds: 6
        failureThreshold: 3
      {{- end }}
      resources: {{- toYaml $settings.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: config, mountPath: /etc/winnow, readOnly: true }
        - { name: scratch, mountPath: /tmp, subPath: tmp }
        - { name: scratch, mountPath: /data, subPath: data }
        {{- if include "winnow.secretSources" $root }}
        - { name: secrets, mountPath: /etc/winnow-secrets, readOnly: true }
        {{- end }}
        {{- if $keys.name }}
        # The folder, and not the file in it alone: a Secret that changes is then seen by pods that are there.
        - { name: master-keys, mountPath: /etc/winnow-keys, readOnly: true }
        {{- end }}
        {{- range $folder := .mounts }}
        {{- if include "winnow.claim" (dict "root" $root "folder" $folder) }}
        - { name: {{ $folder }}, mountPath: /{{ $folder }}, readOnly: {{ not (and $.writes (eq $folder "checkpoints")) }} }
        {{- end }}
        {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ include "winnow.name" . }} }
    - name: scratch
      emptyDir: { sizeLimit: {{ $settings.scratch | quote }} }
    {{- with include "winnow.secretSources" $root }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources: {{- . | trim | nindent 10 }}
    {{- end }}
    {{- if $keys.name }}
    - name: master-keys
      secret:
        secretName: {{ $keys.name | quote }}
        defaultMode: 0440
        items: [{ key: {{ $keys.key | quote }}, path: master-keys.json }]
    {{- end }}
    {{- range $folder := .mounts }}
    {{- with include "winnow.claim" (dict "root" $root "folder" $folder) }}
    - name: {{ $folder }}
      # Read-only as a volume too: otherwise its files get the group above, and its right to write.
      persistentVolumeClaim: { claimName: {{ . | quote }}, readOnly: {{ not (and $.writes (eq $folder "checkpoints")) }} }
    {{- end }}
    {{- end }}
{{- end }}

{{/* What a Job has beside its pod. */}}
{{- define "winnow.job" -}}
# It goes on where it was, so a restart is worth while, unless it says that what it was given is wrong.
backoffLimit: 100
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{ type: DisruptionTarget, status: "True" }]
    - action: FailJob
      # Usage, configuration, bad data, a guarantee violated.
      onExitCodes: { containerName: winnow, operator: In, values: [2, 3, 5, 6] }
      # Asked for by Kubernetes before 1.31, though it is one or the other.
      onPodConditions: []
{{- end }}
