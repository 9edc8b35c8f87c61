-- Those who read gold also read how good its data is. The view reads silver with its owner's rights: nothing else of silver
-- opens with the schema.

GRANT USAGE ON SCHEMA silver TO streamflow_reader;
GRANT SELECT ON silver.quality_check_results TO streamflow_reader;
