"""Where our structs and Google's published contract differ on purpose; every entry says why.

Three lists: fields that are newer than the package or beyond it (``NEWER``), enum values likewise
(``NEWER_VALUES``), and published fields that we type otherwise (``OTHERWISE``). The tests hold each list
to the truth both ways: nothing that differs is missing, nothing that does not differ stays.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Grade = Literal["recorded", "documented", "reported"]


class Newer(NamedTuple):
    """Why we know a field that the package does not have."""

    grade: Grade
    source: str
    sdk: str = ""
    """Where google-genai 3.4.0 has it in its types, ``Class`` or ``Class.field``; a test looks it up."""


_SDK = "google-genai's types"
_VERTEX = "Vertex's dialect, not the Developer API's"

NEWER: Final[dict[str, Newer]] = {
    # -- client messages ---------------------------------------------------------------------------------
    "ClientMessage.contextUpdate": Newer(
        "documented", "Live API guide, Gemini 3.8 Live", "LiveClientMessage.context_update"
    ),
    "ContextUpdate.*": Newer("documented", "Live API guide, Gemini 3.8 Live", "LiveClientContextUpdate"),
    "ToolList.*": Newer("reported", "the nesting that google-genai writes", "LiveClientContextUpdateTools"),
    "Setup.proactivity": Newer(
        "documented", "Live API guide, proactive audio", "LiveClientSetup.proactivity"
    ),
    "ProactivityConfig.*": Newer("documented", "Live API guide, proactive audio", "ProactivityConfig"),
    "Setup.historyConfig": Newer(
        "documented", "Live API guide, Gemini 3.1 Flash Live", "LiveClientSetup.history_config"
    ),
    "HistoryConfig.*": Newer("documented", "Live API guide, Gemini 3.1 Flash Live", "HistoryConfig"),
    "Setup.explicitVadSignal": Newer("reported", _VERTEX, "LiveClientSetup.explicit_vad_signal"),
    "Setup.safetySettings": Newer("reported", _SDK, "LiveClientSetup.safety_settings"),
    "SafetySetting.*": Newer("reported", _SDK, "SafetySetting"),
    "Setup.avatarConfig": Newer("reported", _SDK, "LiveClientSetup.avatar_config"),
    "AvatarConfig.*": Newer("reported", _SDK, "AvatarConfig"),
    "CustomizedAvatar.*": Newer("reported", _SDK, "CustomizedAvatar"),
    "Setup.labels": Newer("reported", _SDK, "LiveClientSetup.labels"),
    "GenerationConfig.enableAffectiveDialog": Newer(
        "documented", "Live API guide, affective dialog", "GenerationConfig.enable_affective_dialog"
    ),
    "GenerationConfig.translationConfig": Newer("reported", _SDK, "GenerationConfig.translation_config"),
    "TranslationConfig.*": Newer("reported", _SDK, "TranslationConfig"),
    "ThinkingConfig.thinkingLevel": Newer(
        "documented", "Live API guide, thinking", "ThinkingConfig.thinking_level"
    ),
    "VoiceConfig.voice": Newer("reported", _SDK, "VoiceConfig.voice"),
    "VoiceConfig.replicatedVoiceConfig": Newer("reported", _SDK, "VoiceConfig.replicated_voice_config"),
    "ReplicatedVoiceConfig.*": Newer("reported", _SDK, "ReplicatedVoiceConfig"),
    "VoiceConsentSignature.*": Newer("reported", _SDK, "VoiceConsentSignature"),
    "RealtimeInputConfig.interimTranscriptTimestampEnabled": Newer(
        "reported", _SDK, "RealtimeInputConfig.interim_transcript_timestamp_enabled"
    ),
    "SessionResumption.transparent": Newer("documented", "Vertex", "SessionResumptionConfig.transparent"),
    "TranscriptionConfig.*": Newer("reported", _SDK, "AudioTranscriptionConfig"),
    "LanguageHints.*": Newer("reported", _SDK, "LanguageHints"),
    # -- tools -------------------------------------------------------------------------------------------
    "Tool.mcpServers": Newer("reported", _SDK, "Tool.mcp_servers"),
    "McpServer.*": Newer("reported", _SDK, "McpServer"),
    "StreamableHttpTransport.*": Newer("reported", _SDK, "StreamableHttpTransport"),
    "Tool.retrieval": Newer("documented", "Vertex", "Tool.retrieval"),
    "Tool.enterpriseWebSearch": Newer("documented", "Vertex", "Tool.enterprise_web_search"),
    "EnterpriseWebSearch.*": Newer("reported", _SDK, "EnterpriseWebSearch"),
    "Tool.parallelAiSearch": Newer("reported", "Vertex", "Tool.parallel_ai_search"),
    "ParallelAiSearch.*": Newer("reported", _SDK, "ToolParallelAiSearch"),
    "Tool.exaAiSearch": Newer("reported", "Vertex", "Tool.exa_ai_search"),
    "ExaAiSearch.*": Newer("reported", _SDK, "ToolExaAiSearch"),
    "GoogleSearch.searchTypes": Newer("reported", _SDK, "GoogleSearch.search_types"),
    "SearchTypes.*": Newer("reported", _SDK, "SearchTypes"),
    "GoogleSearch.excludeDomains": Newer("reported", "Vertex", "GoogleSearch.exclude_domains"),
    "GoogleSearch.blockingConfidence": Newer("reported", "Vertex", "GoogleSearch.blocking_confidence"),
    "ComputerUse.enablePromptInjectionDetection": Newer(
        "reported", _SDK, "ComputerUse.enable_prompt_injection_detection"
    ),
    "ComputerUse.disabledSafetyPolicies": Newer("reported", _SDK, "ComputerUse.disabled_safety_policies"),
    "FileSearch.fileSearchStoreNames": Newer("reported", _SDK, "FileSearch.file_search_store_names"),
    "FileSearch.topK": Newer("reported", _SDK, "FileSearch.top_k"),
    "FileSearch.metadataFilter": Newer("reported", _SDK, "FileSearch.metadata_filter"),
    "GoogleMaps.groundingTypes": Newer("reported", _SDK, "GoogleMaps.grounding_types"),
    "GoogleMapsGroundingTypes.*": Newer("reported", _SDK, "GoogleMapsGroundingTypes"),
    # -- content, both directions ------------------------------------------------------------------------
    "Blob.displayName": Newer("reported", "Vertex", "Blob.display_name"),
    "FileData.displayName": Newer("reported", "Vertex", "FileData.display_name"),
    "FunctionResponsePart.fileData": Newer("reported", _SDK, "FunctionResponsePart.file_data"),
    "ExecutableCode.id": Newer("reported", _SDK, "ExecutableCode.id"),
    "CodeExecutionResult.id": Newer("reported", _SDK, "CodeExecutionResult.id"),
    "Part.audioTranscription": Newer("reported", _SDK, "Part.audio_transcription"),
    "Part.toolCall": Newer("reported", _SDK, "Part.tool_call"),
    "Part.toolResponse": Newer("reported", _SDK, "Part.tool_response"),
    "BuiltinToolCall.*": Newer("reported", _SDK, "ToolCall"),
    "BuiltinToolResponse.*": Newer("reported", _SDK, "ToolResponse"),
    "Part.mediaResolution": Newer("reported", _SDK, "Part.media_resolution"),
    "PartMediaResolution.*": Newer("reported", _SDK, "PartMediaResolution"),
    # -- server messages ---------------------------------------------------------------------------------
    "SetupComplete.sessionId": Newer("recorded", _VERTEX, "LiveServerSetupComplete.session_id"),
    "SetupComplete.voiceConsentSignature": Newer(
        "reported", _SDK, "LiveServerSetupComplete.voice_consent_signature"
    ),
    "ServerContent.turnCompleteReason": Newer("reported", _SDK, "LiveServerContent.turn_complete_reason"),
    "ServerContent.interactionStatus": Newer(
        "documented", "Live API guide, extended thinking", "LiveServerContent.interaction_status"
    ),
    "ServerContent.interimInputTranscription": Newer(
        "reported", _SDK, "LiveServerContent.interim_input_transcription"
    ),
    "Transcription.finished": Newer("recorded", _VERTEX, "Transcription.finished"),
    "Transcription.languageCode": Newer("reported", _SDK, "Transcription.language_code"),
    "Transcription.speakerLabel": Newer("reported", _SDK, "Transcription.speaker_label"),
    "Transcription.words": Newer("reported", _SDK, "Transcription.words"),
    "WordInfo.*": Newer("reported", _SDK, "WordInfo"),
    "Transcription.startOffset": Newer("reported", _SDK, "Transcription.start_offset"),
    "Transcription.endOffset": Newer("reported", _SDK, "Transcription.end_offset"),
    "SessionResumptionUpdate.lastConsumedClientMessageIndex": Newer(
        "documented",
        "Vertex, with transparent resumption",
        "LiveServerSessionResumptionUpdate.last_consumed_client_message_index",
    ),
    "ServerMessage.voiceActivity": Newer(
        "reported", "seen on gemini-3.8-live by two users", "LiveServerMessage.voice_activity"
    ),
    "VoiceActivity.type": Newer("reported", "the wire's name; google-genai renames it", "VoiceActivity"),
    "VoiceActivity.audioOffset": Newer("reported", _SDK, "VoiceActivity.audio_offset"),
    "ServerMessage.voiceActivityDetectionSignal": Newer(
        "reported", _VERTEX, "LiveServerMessage.voice_activity_detection_signal"
    ),
    "VoiceActivityDetectionSignal.*": Newer("reported", _SDK, "VoiceActivityDetectionSignal"),
    "ServerMessage.interactionStatus": Newer(
        "reported", "read at the top level by one client; google-genai reads it in serverContent"
    ),
    "ServerMessage.error": Newer("reported", "google.rpc.Status as REST wraps it"),
    "ServerMessage.code": Newer("reported", "google-genai takes a message with nothing else for an error"),
    "ServerMessage.message": Newer("reported", "google.rpc.Status"),
    "ServerMessage.status": Newer("reported", "google.rpc.Status as REST writes it: the code's name"),
    "ServerMessage.details": Newer("reported", "google.rpc.Status"),
    "ErrorStatus.*": Newer("reported", "google.rpc.Status as REST writes it"),
    "UsageMetadata.candidatesTokenCount": Newer("recorded", _VERTEX),
    "UsageMetadata.candidatesTokensDetails": Newer("recorded", _VERTEX),
    "UsageMetadata.trafficType": Newer("recorded", _VERTEX, "UsageMetadata.traffic_type"),
    "UsageMetadata.serviceTier": Newer("reported", _SDK, "UsageMetadata.service_tier"),
    # -- what an answer rests on -------------------------------------------------------------------------
    "GroundingMetadata.imageSearchQueries": Newer("reported", _SDK, "GroundingMetadata.image_search_queries"),
    "GroundingMetadata.retrievalQueries": Newer("reported", "Vertex", "GroundingMetadata.retrieval_queries"),
    "GroundingMetadata.sourceFlaggingUris": Newer(
        "reported", "Vertex", "GroundingMetadata.source_flagging_uris"
    ),
    "SourceFlaggingUri.*": Newer("reported", "Vertex", "GroundingMetadataSourceFlaggingUri"),
    "GroundingSupport.renderedParts": Newer("reported", _SDK, "GroundingSupport.rendered_parts"),
    "GroundingChunk.image": Newer("reported", _SDK, "GroundingChunk.image"),
    "ImageChunk.*": Newer("reported", _SDK, "GroundingChunkImage"),
    "WebChunk.domain": Newer("reported", "Vertex", "GroundingChunkWeb.domain"),
    "MapsChunk.route": Newer("reported", _SDK, "GroundingChunkMaps.route"),
    "MapsRoute.*": Newer("reported", _SDK, "GroundingChunkMapsRoute"),
    "PlaceAnswerSources.reviewSnippet": Newer(
        "reported", _SDK, "GroundingChunkMapsPlaceAnswerSources.review_snippet"
    ),
    "PlaceAnswerSources.flagContentUri": Newer(
        "reported", "Vertex", "GroundingChunkMapsPlaceAnswerSources.flag_content_uri"
    ),
    "ReviewSnippet.review": Newer(
        "reported", "Vertex", "GroundingChunkMapsPlaceAnswerSourcesReviewSnippet.review"
    ),
    "ReviewSnippet.authorAttribution": Newer(
        "reported", "Vertex", "GroundingChunkMapsPlaceAnswerSourcesReviewSnippet.author_attribution"
    ),
    "ReviewSnippet.flagContentUri": Newer(
        "reported", "Vertex", "GroundingChunkMapsPlaceAnswerSourcesReviewSnippet.flag_content_uri"
    ),
    "ReviewSnippet.relativePublishTimeDescription": Newer(
        "reported",
        "Vertex",
        "GroundingChunkMapsPlaceAnswerSourcesReviewSnippet.relative_publish_time_description",
    ),
    "AuthorAttribution.*": Newer(
        "reported", "Vertex", "GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution"
    ),
    "RetrievedContext.documentName": Newer(
        "reported", "Vertex", "GroundingChunkRetrievedContext.document_name"
    ),
    "RetrievedContext.ragChunk": Newer("reported", "Vertex", "GroundingChunkRetrievedContext.rag_chunk"),
    "RagChunk.*": Newer("reported", "Vertex", "RagChunk"),
    "RagChunkPageSpan.*": Newer("reported", "Vertex", "RagChunkPageSpan"),
    "RetrievedContext.customMetadata": Newer(
        "reported", _SDK, "GroundingChunkRetrievedContext.custom_metadata"
    ),
    "CustomMetadata.*": Newer("reported", _SDK, "GroundingChunkCustomMetadata"),
    "StringList.*": Newer("reported", _SDK, "GroundingChunkStringList"),
    "RetrievedContext.fileSearchStore": Newer(
        "reported", _SDK, "GroundingChunkRetrievedContext.file_search_store"
    ),
    "RetrievedContext.pageNumber": Newer("reported", _SDK, "GroundingChunkRetrievedContext.page_number"),
    "RetrievedContext.mediaId": Newer("reported", _SDK, "GroundingChunkRetrievedContext.media_id"),
}
"""``Struct.wireName``, or ``Struct.*`` for a struct of which the package has nothing."""

NEWER_VALUES: Final[dict[tuple[str, str], Newer]] = {
    ("RealtimeInputConfig.turnCoverage", "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"): Newer(
        "documented", "Live API guide: the default from Gemini 3.1 on", "TurnCoverage"
    ),
}
"""Values of published enums that the package does not have."""

OTHERWISE: Final[dict[str, str]] = {
    "GenerationConfig.topK": "int32 there; google-genai has a float and writes 40.0, which protobuf's JSON takes",
    "GenerationConfig.responseSchema": "a schema is a dict: the keys of its properties are the user's",
    "FunctionDeclaration.parameters": "a schema is a dict: the keys of its properties are the user's",
    "FunctionDeclaration.response": "a schema is a dict: the keys of its properties are the user's",
}
"""Published fields whose type is another one here."""
