"""Where `invoke` looks for tasks. Parlab's own program takes over, so that it answers as `./invoke` and `parlab` do."""

from parlab.__main__ import main

main()
