variable "owner" {
  description = "Who is called about these objects."
  type        = string
  default     = "team-edge"
}

variable "backend_a" {
  description = "Where the first backend listens, host:port."
  type        = string
}

variable "backend_b" {
  description = "Where the second backend listens, host:port."
  type        = string
}

variable "weight_a" {
  description = "The first backend's share of the requests."
  type        = number
  default     = 1
}

variable "weight_b" {
  description = "The second backend's share of the requests."
  type        = number
  default     = 1
}

variable "listen_address" {
  description = "IP address that the listeners bind."
  type        = string
  default     = "127.0.0.1"
}

variable "http_port" {
  description = "Port of the http listener."
  type        = number
  default     = 8080
}

variable "https_port" {
  description = "Port of the https listener."
  type        = number
  default     = 8443
}

variable "certificate_chain" {
  description = "The certificate and its issuers, in PEM."
  type        = string
}

# Ephemeral, so that it is written into neither the state nor a saved plan. A
# saved plan needs it again when it is applied.
variable "private_key" {
  description = "The certificate's private key, in PEM."
  type        = string
  ephemeral   = true
  sensitive   = true
}
