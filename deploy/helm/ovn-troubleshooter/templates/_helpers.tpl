{{/* The labels of every object of a server. The argument is the name of the server. */}}
{{- define "server.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: ovn-troubleshooter
{{- end }}

{{/* The service accounts of all servers, as the subjects of a binding. The argument is the context of the chart. */}}
{{- define "subjects" -}}
subjects:
{{- range $name, $server := .Values.servers }}
{{- if $server.enabled }}
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $.Release.Namespace }}
{{- end }}
{{- end }}
{{- end }}

{{/* A role of the folder rbac, in a namespace. The argument is a list: the context, the file and the namespace. */}}
{{- define "role.in" -}}
{{- $role := index . 1 | (index . 0).Files.Get | fromYaml }}
{{- $_ := set $role.metadata "namespace" (index . 2) }}
{{- toYaml $role }}
{{- end }}
