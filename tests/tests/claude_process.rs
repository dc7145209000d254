//! Real Claude Code as a child process of this machine; only the model's HTTP API is scripted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod claude_suite;

use agcluster_tests::system::Provider;

on! { Provider::Process =>
    text_streams_and_is_counted,
    a_second_turn_remembers_the_first_and_costs_only_its_own,
    thinking_streams,
    prompts_model_and_settings_reach_the_model,
    bash_writes_a_file_that_is_in_the_workspace,
    parallel_tools_all_run_and_all_answer,
    a_tool_outside_the_allowed_ones_does_not_exist,
    todos_are_shown_as_a_list,
    a_sub_agent_of_the_team_does_work_of_its_own,
    an_mcp_server_over_stdio_works_with_credentials_of_the_launch,
    a_permission_that_is_given_lets_the_tool_run,
    a_permission_that_is_denied_keeps_the_tool_from_running,
    a_changed_input_is_what_runs,
    a_question_is_asked_and_its_answer_reaches_the_agent,
    an_interrupt_ends_a_turn_that_streams,
    an_interrupt_ends_a_command_that_runs,
    a_turn_ends_at_its_limit_of_model_calls,
    errors_of_the_model_api_end_the_turn_with_a_reason,
    a_passing_error_is_retried_and_shown,
    a_program_that_dies_in_a_turn_ends_it_once_and_the_next_turn_remembers,
    a_wrong_base_url_of_the_launch_is_a_failed_turn,
    a_command_cannot_read_the_key,
    ten_sessions_work_at_once,
}
