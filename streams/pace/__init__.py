"""How far log time has come: the stage `keep_time`."""
