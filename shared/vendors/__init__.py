"""People counters' own push formats: what each vendor says, brought to rows like everybody's."""
