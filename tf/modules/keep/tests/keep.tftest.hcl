variables {
  claim = { name = "em-metrics", namespace = "metrics", uid = "1" }
  keep  = false
}

run "it_is_said_which_volume_is_kept" {
  command = plan

  variables {
    keep = true
  }

  assert {
    condition     = startswith(terraform_data.keep.input, "The volume metrics/em-metrics is kept.")
    error_message = "what is shown when somebody destroys it"
  }
}

run "one_that_may_go_is_let_go" {
  assert {
    condition     = terraform_data.keep.output == null
    error_message = "else the end of this test would fail"
  }
}

run "another_claim_needs_the_old_one_gone" {
  variables {
    claim = { name = "em-metrics", namespace = "metrics", uid = "2" }
  }

  assert {
    condition     = terraform_data.keep.id != run.one_that_may_go_is_let_go.id
    error_message = "nothing would stop a replacement"
  }
}
