run "all_namespaces" {
  command = plan

  assert {
    condition     = startswith(output.access_string, "on ~mdm:* resetchannels -@all +info ")
    error_message = "The user reaches other keys, or has rights that are not listed."
  }

  assert {
    condition     = !can(regex("\\+@", output.access_string))
    error_message = "A whole category of commands is allowed."
  }
}

run "one_namespace" {
  command = plan

  variables {
    namespace = "main"
  }

  assert {
    condition     = startswith(output.access_string, "on ~mdm:{main:* resetchannels -@all ")
    error_message = "The user reaches keys of other namespaces."
  }
}

run "refuses_a_pattern" {
  command = plan

  variables {
    namespace = "*"
  }

  expect_failures = [var.namespace]
}
