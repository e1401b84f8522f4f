"""What `hounsfield …` can do: a module for each noun, put together by `app.cli`."""
