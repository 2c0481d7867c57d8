class Streams:
    def __init__(self, lake): pass
def CreateWriteStream(): pass
AppendRows=GetWriteStream=FinalizeWriteStream=BatchCommitWriteStreams=FlushRows=CreateWriteStream
