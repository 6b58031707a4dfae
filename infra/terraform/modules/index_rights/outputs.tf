output "access_string" {
  description = "Access string of the user of consumers, APIs and commands: the commands that they need, on their keys, and no others."
  value       = "on ~${local.keys} resetchannels -@all ${join(" ", [for command in local.commands : "+${command}"])}"
}
