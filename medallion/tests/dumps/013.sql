-- The rows of a database as migration 013 leaves it, written by a pipeline of that version; pg_dump --data-only.
-- 45 transactions: each of the five rules alone and several together, hits below the threshold, alerts that were revised and
-- withdrawn, corrections, voids, a duplicate and a dead letter. All are within the correction horizon of the last of them.
DELETE FROM streamflow.progress;
INSERT INTO bronze.dead_letters (id, source_topic, source_partition, source_offset, reason, message, key, key_is_base64, payload, payload_is_base64, truncated, full_length, ingested_at, resubmitted_at) VALUES
	(1, 'transactions.raw', 1, 21, 'malformed_json', 'line 1 column 10: no JSON object', 'broken', false, '{"broken":', false, false, 10, '2026-11-27 04:05:02.698+00', NULL);
INSERT INTO bronze.raw_fraud_alerts (number, alert_id, sequence, change, cause, transaction_id, customer_id, fraud_score, detected_at, payload) VALUES
	(1, 'alert-high-0-6', 1, 'raised', 'transaction', 'high-0-6', 'cust-high-0', 1.000, '2026-11-27 04:04:59.423+00', '{"alert_id":"alert-high-0-6","sequence":1,"change":"raised","cause":"transaction","transaction_id":"high-0-6","customer_id":"cust-high-0","store_id":"store-2","fraud_score":"1.000","rules_triggered":["FR-001"],"rule_details":{"FR-001":{"amount":"900.00","count":6,"mean":"52.50","score":1.0}},"transaction_amount":"900.00","transaction_at":"2026-11-27T04:02:54.000000Z","detected_at":"2026-11-27T04:04:59.423000Z","frontier":1795752299424,"source":{"topic":"transactions.raw","partition":2,"offset":6}}'),
	(2, 'alert-high-1-6', 1, 'raised', 'transaction', 'high-1-6', 'cust-high-1', 1.000, '2026-11-27 04:04:59.423+00', '{"alert_id":"alert-high-1-6","sequence":1,"change":"raised","cause":"transaction","transaction_id":"high-1-6","customer_id":"cust-high-1","store_id":"store-2","fraud_score":"1.000","rules_triggered":["FR-001"],"rule_details":{"FR-001":{"amount":"900.00","count":6,"mean":"52.50","score":1.0}},"transaction_amount":"900.00","transaction_at":"2026-11-27T04:03:54.000000Z","detected_at":"2026-11-27T04:04:59.423000Z","frontier":1795752299424,"source":{"topic":"transactions.raw","partition":2,"offset":13}}'),
	(3, 'alert-travel-1', 1, 'raised', 'transaction', 'travel-1', 'cust-travel', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-travel-1","sequence":1,"change":"raised","cause":"transaction","transaction_id":"travel-1","customer_id":"cust-travel","store_id":"store-3","fraud_score":"1.000","rules_triggered":["FR-003"],"rule_details":{"FR-003":{"km":2691.318,"minutes":20.0,"previous_transaction_id":"travel-0","score":1.0}},"transaction_amount":"31.00","transaction_at":"2026-11-27T03:44:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":0,"offset":1}}'),
	(4, 'alert-travel-2', 1, 'raised', 'transaction', 'travel-2', 'cust-travel', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-travel-2","sequence":1,"change":"raised","cause":"transaction","transaction_id":"travel-2","customer_id":"cust-travel","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-003"],"rule_details":{"FR-003":{"km":3132.079,"minutes":15.0,"previous_transaction_id":"travel-1","score":1.0}},"transaction_amount":"32.00","transaction_at":"2026-11-27T03:59:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":0,"offset":2}}'),
	(5, 'alert-hour-6', 1, 'raised', 'transaction', 'hour-6', 'cust-hour', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-hour-6","sequence":1,"change":"raised","cause":"transaction","transaction_id":"hour-6","customer_id":"cust-hour","store_id":"store-2","fraud_score":"1.000","rules_triggered":["FR-004"],"rule_details":{"FR-004":{"count":6,"mean":7.17,"minute":63,"score":1.0,"std":0.75,"z":74.17}},"transaction_amount":"71.00","transaction_at":"2026-11-27T04:03:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":0,"offset":9}}'),
	(6, 'alert-listed-0', 1, 'raised', 'transaction', 'listed-0', 'cust-listed', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-listed-0","sequence":1,"change":"raised","cause":"transaction","transaction_id":"listed-0","customer_id":"cust-listed","store_id":"store-3","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-listed","reason":"stolen card","score":1.0,"valid_from":null}},"transaction_amount":"12.50","transaction_at":"2026-11-27T03:49:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":16}}'),
	(7, 'alert-listed-1', 1, 'raised', 'transaction', 'listed-1', 'cust-listed', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-listed-1","sequence":1,"change":"raised","cause":"transaction","transaction_id":"listed-1","customer_id":"cust-listed","store_id":"store-3","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-listed","reason":"stolen card","score":1.0,"valid_from":null}},"transaction_amount":"13.50","transaction_at":"2026-11-27T03:50:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":17}}'),
	(8, 'alert-all-0', 1, 'raised', 'transaction', 'all-0', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-0","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-0","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"40.00","transaction_at":"2026-11-27T03:07:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":8}}'),
	(9, 'alert-all-1', 1, 'raised', 'transaction', 'all-1', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-1","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-1","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"40.00","transaction_at":"2026-11-27T03:08:12.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":9}}'),
	(10, 'alert-all-2', 1, 'raised', 'transaction', 'all-2', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-2","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-2","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"40.00","transaction_at":"2026-11-27T03:08:30.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":10}}'),
	(11, 'alert-all-3', 1, 'raised', 'transaction', 'all-3', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-3","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-3","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"40.00","transaction_at":"2026-11-27T03:08:48.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":11}}'),
	(12, 'alert-all-4', 1, 'raised', 'transaction', 'all-4', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-4","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-4","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"40.00","transaction_at":"2026-11-27T03:09:06.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":12}}'),
	(13, 'alert-all-7', 1, 'raised', 'transaction', 'all-7', 'cust-all', 1.000, '2026-11-27 04:04:59.428+00', '{"alert_id":"alert-all-7","sequence":1,"change":"raised","cause":"transaction","transaction_id":"all-7","customer_id":"cust-all","store_id":"store-1","fraud_score":"1.000","rules_triggered":["FR-001","FR-003","FR-004","FR-005"],"rule_details":{"FR-001":{"amount":"2000.00","count":7,"mean":"40.00","score":1.0},"FR-003":{"km":2691.318,"minutes":52.2,"previous_transaction_id":"all-6","score":1.0},"FR-004":{"count":7,"mean":8.29,"minute":61,"score":1.0,"std":0.76,"z":69.734},"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}},"transaction_amount":"2000.00","transaction_at":"2026-11-27T04:01:54.000000Z","detected_at":"2026-11-27T04:04:59.428000Z","frontier":1795752299429,"source":{"topic":"transactions.raw","partition":1,"offset":15}}'),
	(14, 'alert-listed-1', 2, 'withdrawn', 'void', 'listed-1', 'cust-listed', 1.000, '2026-11-27 04:05:02.698+00', '{"alert_id":"alert-listed-1","sequence":2,"change":"withdrawn","cause":"void","transaction_id":"listed-1","customer_id":"cust-listed","store_id":"store-3","fraud_score":"1.000","rules_triggered":["FR-005"],"rule_details":{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-listed","reason":"stolen card","score":1.0,"valid_from":null}},"transaction_amount":"13.50","transaction_at":"2026-11-27T03:50:54.000000Z","detected_at":"2026-11-27T04:05:02.698000Z","frontier":1795752302702,"source":{"topic":"transactions.raw","partition":1,"offset":17}}'),
	(15, 'alert-travel-1', 2, 'revised', 'correction', 'travel-1', 'cust-travel', 1.000, '2026-11-27 04:05:02.705+00', '{"alert_id":"alert-travel-1","sequence":2,"change":"revised","cause":"correction","transaction_id":"travel-1","customer_id":"cust-travel","store_id":"store-3","fraud_score":"1.000","rules_triggered":["FR-003"],"rule_details":{"FR-003":{"km":2691.318,"minutes":20.0,"previous_transaction_id":"travel-0","score":1.0}},"transaction_amount":"33.00","transaction_at":"2026-11-27T03:44:54.000000Z","detected_at":"2026-11-27T04:05:02.705000Z","frontier":1795752302706,"source":{"topic":"transactions.raw","partition":0,"offset":10}}'),
	(16, 'alert-high-1-6', 2, 'withdrawn', 'correction', 'high-1-6', 'cust-high-1', 1.000, '2026-11-27 04:05:02.705+00', '{"alert_id":"alert-high-1-6","sequence":2,"change":"withdrawn","cause":"correction","transaction_id":"high-1-6","customer_id":"cust-high-1","store_id":"store-2","fraud_score":"1.000","rules_triggered":["FR-001"],"rule_details":{"FR-001":{"amount":"900.00","count":6,"mean":"52.50","score":1.0}},"transaction_amount":"900.00","transaction_at":"2026-11-27T04:03:54.000000Z","detected_at":"2026-11-27T04:05:02.705000Z","frontier":1795752302706,"source":{"topic":"transactions.raw","partition":2,"offset":13}}');
INSERT INTO bronze.raw_transactions (ingested_at, event_time, source_offset, schema_version, source_partition, source_topic, payload) VALUES
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:15:54+00', 1, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-1", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "51.00", "currency": "BRL", "timestamp": "2026-11-27T03:15:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:24:54+00', 2, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-2", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "52.00", "currency": "BRL", "timestamp": "2026-11-27T03:24:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:42:54+00', 4, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-4", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "54.00", "currency": "BRL", "timestamp": "2026-11-27T03:42:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 04:02:54+00', 6, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-6", "customer_id": "cust-high-0", "store_id": "store-2", "amount": "900.00", "currency": "BRL", "timestamp": "2026-11-27T04:02:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:16:54+00', 8, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-1", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "51.00", "currency": "BRL", "timestamp": "2026-11-27T03:16:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:34:54+00', 10, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-3", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "53.00", "currency": "BRL", "timestamp": "2026-11-27T03:34:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:43:54+00', 11, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-4", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "54.00", "currency": "BRL", "timestamp": "2026-11-27T03:43:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 04:03:54+00', 13, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-6", "customer_id": "cust-high-1", "store_id": "store-2", "amount": "900.00", "currency": "BRL", "timestamp": "2026-11-27T04:03:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:14:54+00', 14, 1, 2, 'transactions.raw', '{"transaction_id": "plain-0", "customer_id": "cust-plain-0", "store_id": "store-4", "amount": "9.99", "currency": "BRL", "timestamp": "2026-11-27T03:14:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:16:54+00', 15, 1, 2, 'transactions.raw', '{"transaction_id": "plain-2", "customer_id": "cust-plain-2", "store_id": "store-4", "amount": "9.99", "currency": "BRL", "timestamp": "2026-11-27T03:16:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:06:54+00', 0, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-0", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "50.00", "currency": "BRL", "timestamp": "2026-11-27T03:06:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:33:54+00', 3, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-3", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "53.00", "currency": "BRL", "timestamp": "2026-11-27T03:33:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:51:54+00', 5, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-5", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "55.00", "currency": "BRL", "timestamp": "2026-11-27T03:51:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:07:54+00', 7, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-0", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "50.00", "currency": "BRL", "timestamp": "2026-11-27T03:07:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:25:54+00', 9, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-2", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "52.00", "currency": "BRL", "timestamp": "2026-11-27T03:25:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.423+00', '2026-11-27 03:52:54+00', 12, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-5", "customer_id": "cust-high-1", "store_id": "store-1", "amount": "55.00", "currency": "BRL", "timestamp": "2026-11-27T03:52:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:24:54+00', 0, 1, 0, 'transactions.raw', '{"transaction_id": "travel-0", "customer_id": "cust-travel", "store_id": "store-1", "amount": "30.00", "currency": "BRL", "timestamp": "2026-11-27T03:24:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:59:54+00', 2, 1, 0, 'transactions.raw', '{"transaction_id": "travel-2", "customer_id": "cust-travel", "store_id": "store-1", "amount": "32.00", "currency": "BRL", "timestamp": "2026-11-27T03:59:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -30.0, "longitude": -51.2}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:34:54+00', 0, 1, 1, 'transactions.raw', '{"transaction_id": "fast-0", "customer_id": "cust-fast", "store_id": "store-2", "amount": "20.00", "currency": "BRL", "timestamp": "2026-11-27T03:34:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:35:24+00', 1, 1, 1, 'transactions.raw', '{"transaction_id": "fast-1", "customer_id": "cust-fast", "store_id": "store-2", "amount": "21.00", "currency": "BRL", "timestamp": "2026-11-27T03:35:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:35:54+00', 2, 1, 1, 'transactions.raw', '{"transaction_id": "fast-2", "customer_id": "cust-fast", "store_id": "store-2", "amount": "22.00", "currency": "BRL", "timestamp": "2026-11-27T03:35:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:36:24+00', 3, 1, 1, 'transactions.raw', '{"transaction_id": "fast-3", "customer_id": "cust-fast", "store_id": "store-2", "amount": "23.00", "currency": "BRL", "timestamp": "2026-11-27T03:36:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:07:54+00', 8, 1, 1, 'transactions.raw', '{"transaction_id": "all-0", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:07:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:08:12+00', 9, 1, 1, 'transactions.raw', '{"transaction_id": "all-1", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:08:12.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:08:30+00', 10, 1, 1, 'transactions.raw', '{"transaction_id": "all-2", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:08:30.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:08:48+00', 11, 1, 1, 'transactions.raw', '{"transaction_id": "all-3", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:08:48.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:09:42+00', 14, 1, 1, 'transactions.raw', '{"transaction_id": "all-6", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:09:42.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 04:01:54+00', 15, 1, 1, 'transactions.raw', '{"transaction_id": "all-7", "customer_id": "cust-all", "store_id": "store-1", "amount": "2000.00", "currency": "BRL", "timestamp": "2026-11-27T04:01:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -3.1, "longitude": -60.02}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:49:54+00', 16, 1, 1, 'transactions.raw', '{"transaction_id": "listed-0", "customer_id": "cust-listed", "store_id": "store-3", "amount": "12.50", "currency": "BRL", "timestamp": "2026-11-27T03:49:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix"}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:15:54+00', 18, 1, 1, 'transactions.raw', '{"transaction_id": "plain-1", "customer_id": "cust-plain-1", "store_id": "store-4", "amount": "9.99", "currency": "BRL", "timestamp": "2026-11-27T03:15:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:44:54+00', 1, 1, 0, 'transactions.raw', '{"transaction_id": "travel-1", "customer_id": "cust-travel", "store_id": "store-3", "amount": "31.00", "currency": "BRL", "timestamp": "2026-11-27T03:44:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -3.1, "longitude": -60.02}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:06:54+00', 3, 1, 0, 'transactions.raw', '{"transaction_id": "hour-0", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:06:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:07:12+00', 4, 1, 0, 'transactions.raw', '{"transaction_id": "hour-1", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:07:12.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:07:30+00', 5, 1, 0, 'transactions.raw', '{"transaction_id": "hour-2", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:07:30.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:07:48+00', 6, 1, 0, 'transactions.raw', '{"transaction_id": "hour-3", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:07:48.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:08:06+00', 7, 1, 0, 'transactions.raw', '{"transaction_id": "hour-4", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:08:06.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:08:24+00', 8, 1, 0, 'transactions.raw', '{"transaction_id": "hour-5", "customer_id": "cust-hour", "store_id": "store-2", "amount": "70.00", "currency": "BRL", "timestamp": "2026-11-27T03:08:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 04:03:54+00', 9, 1, 0, 'transactions.raw', '{"transaction_id": "hour-6", "customer_id": "cust-hour", "store_id": "store-2", "amount": "71.00", "currency": "BRL", "timestamp": "2026-11-27T04:03:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:36:54+00', 4, 1, 1, 'transactions.raw', '{"transaction_id": "fast-4", "customer_id": "cust-fast", "store_id": "store-2", "amount": "24.00", "currency": "BRL", "timestamp": "2026-11-27T03:36:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:37:24+00', 5, 1, 1, 'transactions.raw', '{"transaction_id": "fast-5", "customer_id": "cust-fast", "store_id": "store-2", "amount": "25.00", "currency": "BRL", "timestamp": "2026-11-27T03:37:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:37:54+00', 6, 1, 1, 'transactions.raw', '{"transaction_id": "fast-6", "customer_id": "cust-fast", "store_id": "store-2", "amount": "26.00", "currency": "BRL", "timestamp": "2026-11-27T03:37:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:38:24+00', 7, 1, 1, 'transactions.raw', '{"transaction_id": "fast-7", "customer_id": "cust-fast", "store_id": "store-2", "amount": "27.00", "currency": "BRL", "timestamp": "2026-11-27T03:38:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "payment_method": "credit_card", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:09:06+00', 12, 1, 1, 'transactions.raw', '{"transaction_id": "all-4", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:09:06.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:09:24+00', 13, 1, 1, 'transactions.raw', '{"transaction_id": "all-5", "customer_id": "cust-all", "store_id": "store-1", "amount": "40.00", "currency": "BRL", "timestamp": "2026-11-27T03:09:24.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:04:59.428+00', '2026-11-27 03:50:54+00', 17, 1, 1, 'transactions.raw', '{"transaction_id": "listed-1", "customer_id": "cust-listed", "store_id": "store-3", "amount": "13.50", "currency": "BRL", "timestamp": "2026-11-27T03:50:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix"}'),
	('2026-11-27 04:05:02.698+00', '2026-11-27 03:38:24+00', 19, 1, 1, 'transactions.raw', '{"transaction_id": "fast-7", "customer_id": "cust-fast", "store_id": "store-2", "amount": "27.00", "currency": "BRL", "timestamp": "2026-11-27T03:38:24.000Z", "schema_version": 1, "revision": 1, "voided": true, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:05:02.698+00', '2026-11-27 03:50:54+00', 20, 1, 1, 'transactions.raw', '{"transaction_id": "listed-1", "customer_id": "cust-listed", "store_id": "store-3", "amount": "13.50", "currency": "BRL", "timestamp": "2026-11-27T03:50:54.000Z", "schema_version": 1, "revision": 1, "voided": true, "product_id": "prod-1", "payment_method": "pix"}'),
	('2026-11-27 04:05:02.705+00', '2026-11-27 04:03:54+00', 16, 1, 2, 'transactions.raw', '{"transaction_id": "high-1-6", "customer_id": "cust-high-1", "store_id": "store-2", "amount": "55.00", "currency": "BRL", "timestamp": "2026-11-27T04:03:54.000Z", "schema_version": 1, "revision": 1, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:05:02.705+00', '2026-11-27 03:16:54+00', 17, 1, 2, 'transactions.raw', '{"transaction_id": "plain-2", "customer_id": "cust-plain-2", "store_id": "store-4", "amount": "19.99", "currency": "BRL", "timestamp": "2026-11-27T03:16:54.000Z", "schema_version": 1, "revision": 1, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}'),
	('2026-11-27 04:05:02.705+00', '2026-11-27 03:44:54+00', 10, 1, 0, 'transactions.raw', '{"transaction_id": "travel-1", "customer_id": "cust-travel", "store_id": "store-3", "amount": "33.00", "currency": "BRL", "timestamp": "2026-11-27T03:44:54.000Z", "schema_version": 1, "revision": 1, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -3.1, "longitude": -60.02}');
INSERT INTO bronze.raw_transactions (ingested_at, event_time, source_offset, schema_version, source_partition, source_topic, payload) VALUES
	('2026-11-27 04:05:02.705+00', '2026-11-27 03:06:54+00', 18, 1, 2, 'transactions.raw', '{"transaction_id": "high-0-0", "customer_id": "cust-high-0", "store_id": "store-1", "amount": "50.00", "currency": "BRL", "timestamp": "2026-11-27T03:06:54.000Z", "schema_version": 1, "revision": 0, "voided": false, "product_id": "prod-1", "payment_method": "pix", "latitude": -23.55, "longitude": -46.63}');
INSERT INTO gold.agg_daily_fraud (date_key, total_txns, total_alerts, score_thousandths, fr_001_alerts, fr_002_alerts, fr_003_alerts, fr_004_alerts, fr_005_alerts) VALUES
	(20261127, 43, 11, 11000, 2, 0, 3, 2, 7);
INSERT INTO gold.agg_hourly_sales (hour_timestamp, store_key, transaction_count, total_amount, fraud_count) VALUES
	('2026-11-27 03:00:00+00', 1, 21, 972.00, 6),
	('2026-11-27 04:00:00+00', 1, 1, 2000.00, 1),
	('2026-11-27 03:00:00+00', 3, 13, 581.00, 0),
	('2026-11-27 03:00:00+00', 2, 3, 39.97, 0),
	('2026-11-27 04:00:00+00', 3, 3, 1026.00, 2),
	('2026-11-27 03:00:00+00', 4, 2, 45.50, 2);
INSERT INTO gold.customer_totals (first_seen, last_seen, transaction_count, minute_sum, minute_square_sum, alert_count, customer_key, total_amount) VALUES
	('2026-11-27 03:14:54+00', '2026-11-27 03:14:54+00', 1, 14, 196, 0, 2, 9.99),
	('2026-11-27 03:06:54+00', '2026-11-27 04:02:54+00', 7, 233, 10135, 1, 3, 1215.00),
	('2026-11-27 03:07:54+00', '2026-11-27 04:01:54+00', 8, 119, 4205, 6, 1, 2280.00),
	('2026-11-27 03:06:54+00', '2026-11-27 04:03:54+00', 7, 106, 4280, 1, 7, 491.00),
	('2026-11-27 03:15:54+00', '2026-11-27 03:15:54+00', 1, 15, 225, 0, 10, 9.99),
	('2026-11-27 03:49:54+00', '2026-11-27 03:49:54+00', 1, 49, 2401, 1, 8, 12.50),
	('2026-11-27 03:34:54+00', '2026-11-27 03:37:54+00', 7, 250, 8936, 0, 9, 161.00),
	('2026-11-27 03:07:54+00', '2026-11-27 04:03:54+00', 7, 240, 10608, 0, 4, 370.00),
	('2026-11-27 03:16:54+00', '2026-11-27 03:16:54+00', 1, 16, 256, 0, 5, 19.99),
	('2026-11-27 03:24:54+00', '2026-11-27 03:59:54+00', 3, 127, 5993, 2, 6, 95.00);
INSERT INTO gold.dim_customer (customer_key, customer_id, name, email, city, state, risk_profile, registered_at, inferred) VALUES
	(1, 'cust-all', 'Ana Souza', 'ana@example.com', 'Recife', 'PE', 'normal', '2023-05-01 05:24:27.677+00', false),
	(2, 'cust-plain-0', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(3, 'cust-high-0', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(4, 'cust-high-1', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(5, 'cust-plain-2', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(6, 'cust-travel', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(7, 'cust-hour', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(8, 'cust-listed', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(9, 'cust-fast', NULL, NULL, NULL, NULL, NULL, NULL, true),
	(10, 'cust-plain-1', NULL, NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO gold.dim_product (product_key, product_id, name, category, price, inferred) VALUES
	(1, 'prod-1', 'Jacket 1', 'clothing', 261.15, false);
INSERT INTO gold.dim_store (store_key, store_id, name, city, state, category, channel, latitude, longitude, inferred) VALUES
	(1, 'store-1', 'Recife clothing 1', 'Recife', 'PE', 'clothing', 'physical', -8.05, -34.9, false),
	(2, 'store-4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, true),
	(3, 'store-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, true),
	(4, 'store-3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO gold.fact_fraud_alerts (alert_id, transaction_id, date_key, customer_key, store_key, fraud_score, rules_triggered, rule_details, transaction_amount, transaction_at, detected_at, revised_at) VALUES
	('alert-high-0-6', 'high-0-6', 20261127, 3, 3, 1.000, '{FR-001}', '{"FR-001":{"amount":"900.00","count":6,"mean":"52.50","score":1.0}}', 900.00, '2026-11-27 04:02:54+00', '2026-11-27 04:04:59.423+00', NULL),
	('alert-all-0', 'all-0', 20261127, 1, 1, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 40.00, '2026-11-27 03:07:54+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-all-1', 'all-1', 20261127, 1, 1, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 40.00, '2026-11-27 03:08:12+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-all-2', 'all-2', 20261127, 1, 1, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 40.00, '2026-11-27 03:08:30+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-all-3', 'all-3', 20261127, 1, 1, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 40.00, '2026-11-27 03:08:48+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-all-4', 'all-4', 20261127, 1, 1, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 40.00, '2026-11-27 03:09:06+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-all-7', 'all-7', 20261127, 1, 1, 1.000, '{FR-001,FR-003,FR-004,FR-005}', '{"FR-001":{"amount":"2000.00","count":7,"mean":"40.00","score":1.0},"FR-003":{"km":2691.318,"minutes":52.2,"previous_transaction_id":"all-6","score":1.0},"FR-004":{"count":7,"mean":8.29,"minute":61,"score":1.0,"std":0.76,"z":69.734},"FR-005":{"entity":"customer","expires_at":null,"id":"cust-all","reason":"chargebacks","score":1.0,"valid_from":null}}', 2000.00, '2026-11-27 04:01:54+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-hour-6', 'hour-6', 20261127, 7, 3, 1.000, '{FR-004}', '{"FR-004":{"count":6,"mean":7.17,"minute":63,"score":1.0,"std":0.75,"z":74.17}}', 71.00, '2026-11-27 04:03:54+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-listed-0', 'listed-0', 20261127, 8, 4, 1.000, '{FR-005}', '{"FR-005":{"entity":"customer","expires_at":null,"id":"cust-listed","reason":"stolen card","score":1.0,"valid_from":null}}', 12.50, '2026-11-27 03:49:54+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-travel-2', 'travel-2', 20261127, 6, 1, 1.000, '{FR-003}', '{"FR-003":{"km":3132.079,"minutes":15.0,"previous_transaction_id":"travel-1","score":1.0}}', 32.00, '2026-11-27 03:59:54+00', '2026-11-27 04:04:59.428+00', NULL),
	('alert-travel-1', 'travel-1', 20261127, 6, 4, 1.000, '{FR-003}', '{"FR-003":{"km":2691.318,"minutes":20.0,"previous_transaction_id":"travel-0","score":1.0}}', 33.00, '2026-11-27 03:44:54+00', '2026-11-27 04:04:59.428+00', '2026-11-27 04:05:02.705+00');
INSERT INTO gold.fraud_alert_history (alert_id, raised_sequence, transaction_id, raised_at, revised_at, withdrawn_at, causes, last_score, last_rules) VALUES
	('alert-high-0-6', 1, 'high-0-6', '2026-11-27 04:04:59.423+00', NULL, NULL, '{transaction}', 1.000, '{FR-001}'),
	('alert-all-0', 1, 'all-0', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-all-1', 1, 'all-1', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-all-2', 1, 'all-2', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-all-3', 1, 'all-3', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-all-4', 1, 'all-4', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-all-7', 1, 'all-7', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-001,FR-003,FR-004,FR-005}'),
	('alert-hour-6', 1, 'hour-6', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-004}'),
	('alert-listed-0', 1, 'listed-0', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-005}'),
	('alert-travel-2', 1, 'travel-2', '2026-11-27 04:04:59.428+00', NULL, NULL, '{transaction}', 1.000, '{FR-003}'),
	('alert-listed-1', 1, 'listed-1', '2026-11-27 04:04:59.428+00', NULL, '2026-11-27 04:05:02.698+00', '{transaction,void}', 1.000, '{FR-005}'),
	('alert-high-1-6', 1, 'high-1-6', '2026-11-27 04:04:59.423+00', NULL, '2026-11-27 04:05:02.705+00', '{transaction,correction}', 1.000, '{FR-001}'),
	('alert-travel-1', 1, 'travel-1', '2026-11-27 04:04:59.428+00', '2026-11-27 04:05:02.705+00', NULL, '{transaction,correction}', 1.000, '{FR-003}');
INSERT INTO gold.realtime_metrics (window_start, store_key, transaction_count, total_amount, alert_count, distinct_customers, changed_frontier) VALUES
	('2026-11-27 03:14:00+00', NULL, 1, 9.99, 0, 1, 1795752299424),
	('2026-11-27 03:43:00+00', NULL, 1, 54.00, 0, 1, 1795752299424),
	('2026-11-27 03:25:00+00', NULL, 1, 52.00, 0, 1, 1795752299424),
	('2026-11-27 03:42:00+00', NULL, 1, 54.00, 0, 1, 1795752299424),
	('2026-11-27 03:52:00+00', NULL, 1, 55.00, 0, 1, 1795752299424),
	('2026-11-27 04:02:00+00', NULL, 1, 900.00, 1, 1, 1795752299424),
	('2026-11-27 03:33:00+00', NULL, 1, 53.00, 0, 1, 1795752299424),
	('2026-11-27 03:51:00+00', NULL, 1, 55.00, 0, 1, 1795752299424),
	('2026-11-27 03:34:00+00', 1, 1, 53.00, 0, NULL, 1795752299424),
	('2026-11-27 03:42:00+00', 1, 1, 54.00, 0, NULL, 1795752299424),
	('2026-11-27 03:51:00+00', 1, 1, 55.00, 0, NULL, 1795752299424),
	('2026-11-27 04:02:00+00', 3, 1, 900.00, 1, NULL, 1795752299424),
	('2026-11-27 03:15:00+00', 1, 1, 51.00, 0, NULL, 1795752299424),
	('2026-11-27 03:06:00+00', 1, 1, 50.00, 0, NULL, 1795752299424),
	('2026-11-27 03:33:00+00', 1, 1, 53.00, 0, NULL, 1795752299424),
	('2026-11-27 03:16:00+00', 1, 1, 51.00, 0, NULL, 1795752299424),
	('2026-11-27 03:43:00+00', 1, 1, 54.00, 0, NULL, 1795752299424),
	('2026-11-27 03:25:00+00', 1, 1, 52.00, 0, NULL, 1795752299424),
	('2026-11-27 03:52:00+00', 1, 1, 55.00, 0, NULL, 1795752299424),
	('2026-11-27 03:14:00+00', 2, 1, 9.99, 0, NULL, 1795752299424),
	('2026-11-27 03:06:00+00', NULL, 2, 120.00, 0, 2, 1795752299429),
	('2026-11-27 03:34:00+00', NULL, 2, 73.00, 0, 2, 1795752299429),
	('2026-11-27 03:07:00+00', NULL, 5, 300.00, 1, 3, 1795752299429),
	('2026-11-27 03:15:00+00', NULL, 2, 60.99, 0, 2, 1795752299429),
	('2026-11-27 03:35:00+00', NULL, 2, 43.00, 0, 1, 1795752299429),
	('2026-11-27 03:09:00+00', NULL, 3, 120.00, 1, 1, 1795752299429),
	('2026-11-27 03:59:00+00', NULL, 1, 32.00, 1, 1, 1795752299429),
	('2026-11-27 03:36:00+00', NULL, 2, 47.00, 0, 1, 1795752299429),
	('2026-11-27 03:08:00+00', NULL, 5, 260.00, 3, 2, 1795752299429),
	('2026-11-27 03:49:00+00', NULL, 1, 12.50, 1, 1, 1795752299429),
	('2026-11-27 03:24:00+00', NULL, 2, 82.00, 0, 2, 1795752299429),
	('2026-11-27 03:37:00+00', NULL, 2, 51.00, 0, 1, 1795752299429),
	('2026-11-27 04:01:00+00', NULL, 1, 2000.00, 1, 1, 1795752299429),
	('2026-11-27 03:07:00+00', 1, 2, 90.00, 1, NULL, 1795752299429),
	('2026-11-27 03:24:00+00', 1, 2, 82.00, 0, NULL, 1795752299429),
	('2026-11-27 04:03:00+00', NULL, 2, 126.00, 1, 2, 1795752302706),
	('2026-11-27 03:16:00+00', NULL, 2, 70.99, 0, 2, 1795752302706),
	('2026-11-27 03:44:00+00', NULL, 1, 33.00, 1, 1, 1795752302706),
	('2026-11-27 04:03:00+00', 3, 2, 126.00, 1, NULL, 1795752302706),
	('2026-11-27 03:16:00+00', 2, 1, 19.99, 0, NULL, 1795752302706),
	('2026-11-27 04:01:00+00', 1, 1, 2000.00, 1, NULL, 1795752299429),
	('2026-11-27 03:49:00+00', 4, 1, 12.50, 1, NULL, 1795752299429),
	('2026-11-27 03:37:00+00', 3, 2, 51.00, 0, NULL, 1795752299429),
	('2026-11-27 03:59:00+00', 1, 1, 32.00, 1, NULL, 1795752299429),
	('2026-11-27 03:36:00+00', 3, 2, 47.00, 0, NULL, 1795752299429),
	('2026-11-27 03:08:00+00', 1, 3, 120.00, 3, NULL, 1795752299429),
	('2026-11-27 03:15:00+00', 2, 1, 9.99, 0, NULL, 1795752299429),
	('2026-11-27 03:34:00+00', 3, 1, 20.00, 0, NULL, 1795752299429),
	('2026-11-27 03:07:00+00', 3, 3, 210.00, 0, NULL, 1795752299429),
	('2026-11-27 03:09:00+00', 1, 3, 120.00, 1, NULL, 1795752299429);
INSERT INTO gold.realtime_metrics (window_start, store_key, transaction_count, total_amount, alert_count, distinct_customers, changed_frontier) VALUES
	('2026-11-27 03:06:00+00', 3, 1, 70.00, 0, NULL, 1795752299429),
	('2026-11-27 03:08:00+00', 3, 2, 140.00, 0, NULL, 1795752299429),
	('2026-11-27 03:35:00+00', 3, 2, 43.00, 0, NULL, 1795752299429),
	('2026-11-27 03:44:00+00', 4, 1, 33.00, 1, NULL, 1795752302706);
INSERT INTO gold.rule_performance (date_key, rule_id, hits, alerts, alerts_alone, score_thousandths) VALUES
	(20261127, 'FR-002', 5, 0, 0, 1400),
	(20261127, 'FR-004', 3, 2, 1, 2076),
	(20261127, 'FR-005', 9, 7, 6, 9000),
	(20261127, 'FR-003', 3, 3, 2, 3000),
	(20261127, 'FR-001', 2, 2, 1, 2000);
INSERT INTO gold.store_performance (date_key, store_key, transaction_count, total_amount, alert_count) VALUES
	(20261127, 1, 22, 2972.00, 7),
	(20261127, 4, 2, 45.50, 2),
	(20261127, 2, 3, 39.97, 0),
	(20261127, 3, 16, 1607.00, 2);
INSERT INTO silver.blacklist (version, entity_kind, entity_id, applies_from, valid_from, expires_at, reason, removed, ingested_at) VALUES
	(1, 'customer', 'cust-listed', '2026-11-27 03:04:55.115+00', NULL, NULL, 'stolen card', false, '2026-11-27 04:04:55.45+00'),
	(2, 'customer', 'cust-all', '2026-11-27 03:04:55.115+00', NULL, NULL, 'chargebacks', false, '2026-11-27 04:04:55.45+00');
INSERT INTO silver.customers (customer_id, name, email, city, state, risk_profile, registered_at, updated_at) VALUES
	('cust-all', 'Ana Souza', 'ana@example.com', 'Recife', 'PE', 'normal', '2023-05-01 05:24:27.677+00', '2026-11-27 04:04:55.45+00');
INSERT INTO silver.products (product_id, name, category, price, updated_at) VALUES
	('prod-1', 'Jacket 1', 'clothing', 261.15, '2026-11-27 04:04:55.45+00');
INSERT INTO silver.quality_counts (window_start, measure, events, changed_at) VALUES
	('2026-11-27 04:00:00+00', 'no_product', 8, '2026-11-27 04:04:59.428+00'),
	('2026-11-27 04:00:00+00', 'no_payment_method', 7, '2026-11-27 04:04:59.428+00'),
	('2026-11-27 04:00:00+00', 'dead_letter_malformed_json', 1, '2026-11-27 04:05:02.698+00'),
	('2026-11-27 04:00:00+00', 'no_place', 3, '2026-11-27 04:05:02.698+00'),
	('2026-11-27 04:00:00+00', 'read', 52, '2026-11-27 04:05:02.705+00'),
	('2026-11-27 04:00:00+00', 'late', 50, '2026-11-27 04:05:02.705+00'),
	('2026-11-27 04:00:00+00', 'duplicate', 1, '2026-11-27 04:05:02.705+00'),
	('2026-11-27 04:00:00+00', 'accepted', 50, '2026-11-27 04:05:02.705+00');
INSERT INTO silver.stores (store_id, name, city, state, category, channel, latitude, longitude, updated_at) VALUES
	('store-1', 'Recife clothing 1', 'Recife', 'PE', 'clothing', 'physical', -8.05, -34.9, '2026-11-27 04:04:55.45+00');
INSERT INTO silver.transactions (transaction_at, amount_cents, source_offset, revision, customer_key, store_key, product_key, date_key, latitude, longitude, topic_key, source_partition, score_thousandths, fr_001, fr_002, fr_003, fr_004, fr_005, is_fraud, voided, currency, payment_method, transaction_id, alert_changes) VALUES
	('2026-11-27 03:14:54+00', 999, 14, 0, 2, 2, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'plain-0', NULL),
	('2026-11-27 03:06:54+00', 5000, 0, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-0', NULL),
	('2026-11-27 03:15:54+00', 5100, 1, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-1', NULL),
	('2026-11-27 03:24:54+00', 5200, 2, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-2', NULL),
	('2026-11-27 03:33:54+00', 5300, 3, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-3', NULL),
	('2026-11-27 03:42:54+00', 5400, 4, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-4', NULL),
	('2026-11-27 03:51:54+00', 5500, 5, 0, 3, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-0-5', NULL),
	('2026-11-27 04:02:54+00', 90000, 6, 0, 3, 3, 1, 20261127, -235500000, -466300000, 5, 2, 1000, 1000, NULL, NULL, NULL, NULL, true, false, 'BRL', 'pix', 'high-0-6', 1),
	('2026-11-27 03:07:54+00', 5000, 7, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-0', NULL),
	('2026-11-27 03:16:54+00', 5100, 8, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-1', NULL),
	('2026-11-27 03:25:54+00', 5200, 9, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-2', NULL),
	('2026-11-27 03:34:54+00', 5300, 10, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-3', NULL),
	('2026-11-27 03:43:54+00', 5400, 11, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-4', NULL),
	('2026-11-27 03:52:54+00', 5500, 12, 0, 4, 1, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-5', NULL),
	('2026-11-27 03:24:54+00', 3000, 0, 0, 6, 1, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'travel-0', NULL),
	('2026-11-27 03:59:54+00', 3200, 2, 0, 6, 1, 1, 20261127, -300000000, -512000000, 5, 0, 1000, NULL, NULL, 1000, NULL, NULL, true, false, 'BRL', 'pix', 'travel-2', 1),
	('2026-11-27 03:06:54+00', 7000, 3, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-0', NULL),
	('2026-11-27 03:07:12+00', 7000, 4, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-1', NULL),
	('2026-11-27 03:07:30+00', 7000, 5, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-2', NULL),
	('2026-11-27 03:07:48+00', 7000, 6, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-3', NULL),
	('2026-11-27 03:08:06+00', 7000, 7, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-4', NULL),
	('2026-11-27 03:08:24+00', 7000, 8, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 200, NULL, 200, NULL, NULL, NULL, false, false, 'BRL', NULL, 'hour-5', NULL),
	('2026-11-27 04:03:54+00', 7100, 9, 0, 7, 3, 1, 20261127, -235500000, -466300000, 5, 0, 1000, NULL, NULL, NULL, 1000, NULL, true, false, 'BRL', NULL, 'hour-6', 1),
	('2026-11-27 03:49:54+00', 1250, 16, 0, 8, 4, 1, 20261127, NULL, NULL, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'listed-0', 1),
	('2026-11-27 03:34:54+00', 2000, 0, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-0', NULL),
	('2026-11-27 03:35:24+00', 2100, 1, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-1', NULL),
	('2026-11-27 03:35:54+00', 2200, 2, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-2', NULL),
	('2026-11-27 03:36:24+00', 2300, 3, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-3', NULL),
	('2026-11-27 03:36:54+00', 2400, 4, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-4', NULL),
	('2026-11-27 03:37:24+00', 2500, 5, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 153, NULL, 200, NULL, 76, NULL, false, false, 'BRL', 'credit_card', 'fast-5', NULL),
	('2026-11-27 03:37:54+00', 2600, 6, 0, 9, 3, NULL, 20261127, -235500000, -466300000, 5, 1, 400, NULL, 400, NULL, NULL, NULL, false, false, 'BRL', 'credit_card', 'fast-6', NULL),
	('2026-11-27 03:07:54+00', 4000, 8, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'all-0', 1),
	('2026-11-27 03:08:12+00', 4000, 9, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'all-1', 1),
	('2026-11-27 03:08:30+00', 4000, 10, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'all-2', 1),
	('2026-11-27 03:08:48+00', 4000, 11, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'all-3', 1),
	('2026-11-27 03:09:06+00', 4000, 12, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 1000, NULL, NULL, NULL, NULL, 1000, true, false, 'BRL', 'pix', 'all-4', 1),
	('2026-11-27 03:09:24+00', 4000, 13, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 429, NULL, 200, NULL, NULL, 1000, false, false, 'BRL', 'pix', 'all-5', NULL),
	('2026-11-27 03:09:42+00', 4000, 14, 0, 1, 1, 1, 20261127, -235500000, -466300000, 5, 1, 571, NULL, 400, NULL, NULL, 1000, false, false, 'BRL', 'pix', 'all-6', NULL),
	('2026-11-27 04:01:54+00', 200000, 15, 0, 1, 1, 1, 20261127, -31000000, -600200000, 5, 1, 1000, 1000, NULL, 1000, 1000, 1000, true, false, 'BRL', 'pix', 'all-7', 1),
	('2026-11-27 03:15:54+00', 999, 18, 0, 10, 2, 1, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'plain-1', NULL),
	('2026-11-27 03:50:54+00', 1350, 20, 1, 8, 4, 1, 20261127, NULL, NULL, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, true, 'BRL', 'pix', 'listed-1', 2),
	('2026-11-27 03:38:24+00', 2700, 19, 1, 9, 3, 1, 20261127, -235500000, -466300000, 5, 1, 0, NULL, NULL, NULL, NULL, NULL, false, true, 'BRL', 'pix', 'fast-7', NULL),
	('2026-11-27 03:44:54+00', 3300, 10, 1, 6, 4, 1, 20261127, -31000000, -600200000, 5, 0, 1000, NULL, NULL, 1000, NULL, NULL, true, false, 'BRL', 'pix', 'travel-1', 2),
	('2026-11-27 04:03:54+00', 5500, 16, 1, 4, 3, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'high-1-6', 2),
	('2026-11-27 03:16:54+00', 1999, 17, 1, 5, 2, 1, 20261127, -235500000, -466300000, 5, 2, 0, NULL, NULL, NULL, NULL, NULL, false, false, 'BRL', 'pix', 'plain-2', NULL);
INSERT INTO streamflow.emptied_windows (window_start, store_key, changed_frontier) VALUES
	('2026-11-27 03:38:00+00', NULL, 1795752302702),
	('2026-11-27 03:50:00+00', NULL, 1795752302702),
	('2026-11-27 03:50:00+00', 4, 1795752302702),
	('2026-11-27 03:38:00+00', 3, 1795752302702);
INSERT INTO streamflow.progress (only_row, frontier, generation, offsets, reference_times, books, watermark, time_zone, alert_changes, dead_letters, committed_at) VALUES
	(true, 1795752322747, 1, '{"reference.stores": {"0": 1}, "reference.products": {"0": 1}, "fraud.blacklist": {"0": 2}, "reference.customers": {"0": 1}, "transactions.raw": {"0": 11, "1": 22, "2": 19}}', '{"reference.stores": {"0": 1795752294563000}, "reference.products": {"0": 1795752294851000}, "fraud.blacklist": {"0": 1795752295115000}, "reference.customers": {"0": 1795752294273000}, "transactions.raw": {"0": 1795752302702000, "1": 1795752302691000, "2": 1795752302696000}}', '{"reference.stores": {"read": 1, "reference": 1}, "reference.products": {"read": 1, "reference": 1}, "fraud.blacklist": {"read": 2, "reference": 2}, "reference.customers": {"read": 1, "reference": 1}, "transactions.raw": {"new": 45, "read": 52, "voiding": 2, "duplicate": 1, "correcting": 3, "malformed_json": 1}}', '2026-11-27 04:04:55.115+00', 'America/Sao_Paulo', 16, 1, '2026-11-27 04:05:22.746833+00');
INSERT INTO streamflow.rules (version, applies_from, rules, ingested_at) VALUES
	(1, '-infinity', '{"alert_threshold":0.7,"high_value":{"weight":0.3,"minimum_history":5,"multiple":3.0},"velocity":{"weight":0.25,"limit":5,"window_seconds":600},"impossible_travel":{"weight":0.2,"distance_km":500.0,"within_seconds":3600,"full_score_km":1000.0},"unusual_hour":{"weight":0.15,"minimum_history":5,"deviations":2.0},"blacklist":{"weight":0.1}}', '2026-11-27 04:04:55.433+00');
INSERT INTO streamflow.topics (topic_key, topic) OVERRIDING SYSTEM VALUE VALUES
	(1, 'reference.customers'),
	(2, 'reference.stores'),
	(3, 'reference.products'),
	(4, 'fraud.blacklist'),
	(5, 'transactions.raw');
SELECT pg_catalog.setval('silver.blacklist_version_seq', 2, true);
SELECT pg_catalog.setval('streamflow.rules_version_seq', 1, true);
SELECT pg_catalog.setval('streamflow.topics_topic_key_seq', 5, true);
