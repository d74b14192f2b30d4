output "http" {
  description = "Where the http listener answers."
  value       = "http://${auditlb_listener.http.address}:${auditlb_listener.http.port}/"
}

output "https" {
  description = "Where the https listener answers."
  value       = "https://${auditlb_listener.https.address}:${auditlb_listener.https.port}/"
}

output "pool_changed_by" {
  description = "Who changed the pool last, and under which ticket."
  value       = "${auditlb_pool.web.last_changed_by}, ${auditlb_pool.web.last_change_ticket}, revision ${auditlb_pool.web.revision}"
}
