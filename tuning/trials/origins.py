"""Where the parameters of a trial come from."""

_STARTING_POINTS = ("published", "defaults")
_RETRY = ", retry of "


class Origin(str):
    """An origin, as journal and tables spell it.

    `sampler`, `defaults`, `published NAME`, `memory STUDY/NUMBER`, `recipe NAME` or `warm start STUDY/NUMBER`;
    `enqueued` or `added by hand` where others put the trial into the study. `, retry of NUMBER` follows where the
    trial of that number was interrupted.
    """

    __slots__ = ()

    @property
    def is_starting_point(self) -> bool:
        """Whether the parameters are those that all others are compared with: published ones, or the defaults."""
        return self.startswith(_STARTING_POINTS)

    @property
    def is_published(self) -> bool:
        """Whether they are a published set."""
        return self.startswith("published")

    def retry(self, number: int) -> "Origin":
        """The origin of a trial with the parameters of the interrupted trial `number`."""
        return Origin(f"{self.partition(_RETRY)[0]}{_RETRY}{number}")


SAMPLER = Origin("sampler")
BY_HAND, ENQUEUED = Origin("added by hand"), Origin("enqueued")
"""Of trials that others put into a study: with their end, or to be run."""
